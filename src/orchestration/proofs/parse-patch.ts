export interface PatchFile {
  readonly path: string
  readonly added: number
  readonly removed: number
  readonly binary: boolean
}

export interface Patch {
  readonly base: string
  readonly commit: string
  readonly files: readonly PatchFile[]
  /** The patch itself, without the lines before it. */
  readonly text: string
}

/** A patch as runners keep it: two lines that name the commits, an empty one, and what git says. Null where it is none. */
export function parsePatch(text: string): Patch | null {
  const head = /^base ([0-9a-f]{40,64})\ncommit ([0-9a-f]{40,64})\n\n/.exec(text)
  if (head === null) return null
  const body = text.slice(head[0].length)
  const files: { path: string; added: number; removed: number; binary: boolean }[] = []
  /** Lines of the present hunk that are still to come, on both sides: what they look like then says nothing. */
  let [before, after] = [0, 0]
  for (const line of body.split('\n')) {
    const file = files.at(-1)
    if (before > 0 || after > 0) {
      if (line.startsWith('+')) after -= 1
      else if (line.startsWith('-')) before -= 1
      else if (!line.startsWith('\\')) [before, after] = [before - 1, after - 1]
      if (line.startsWith('+') && file !== undefined) file.added += 1
      if (line.startsWith('-') && file !== undefined) file.removed += 1
      continue
    }
    const hunk = /^@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@/.exec(line)
    if (hunk !== null) [before, after] = [Number(hunk[1] ?? 1), Number(hunk[2] ?? 1)]
    else if (line.startsWith('diff --git ')) files.push({ path: pathOf(line), added: 0, removed: 0, binary: false })
    else if (line.startsWith('Binary files ') && file !== undefined) file.binary = true
  }
  return { base: head[1]!, commit: head[2]!, files, text: body }
}

/** `diff --git a/x b/x`: both names are the same, because renames are told as what they are made of. */
function pathOf(line: string): string {
  const names = line.slice('diff --git '.length)
  if (names.startsWith('"')) return unquote(names.slice(0, names.indexOf('" ') + 1)).slice(2)
  return names.slice(0, (names.length - 1) / 2).slice(2)
}

/** As git quotes names: escapes of C, bytes in octal. */
function unquote(text: string): string {
  const bytes: number[] = []
  const inner = text.slice(1, -1)
  const named: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', a: '\x07', b: '\b', f: '\f', v: '\v' }
  for (let n = 0; n < inner.length; n++) {
    const char = inner[n]!
    if (char !== '\\') {
      bytes.push(...Buffer.from(char))
      continue
    }
    const octal = /^[0-7]{3}/.exec(inner.slice(n + 1))?.[0]
    if (octal !== undefined) {
      bytes.push(Number.parseInt(octal, 8))
      n += 3
    } else {
      bytes.push(...Buffer.from(named[inner[n + 1]!] ?? inner[n + 1]!))
      n += 1
    }
  }
  return Buffer.from(bytes).toString('utf8')
}
