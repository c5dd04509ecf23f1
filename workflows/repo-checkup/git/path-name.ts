const utf8 = new TextDecoder('utf-8', { fatal: true })

/** A byte string (latin1) as text: UTF-8 where it is, otherwise latin1; control and invisible characters are shown as escapes. */
export function showBytes(bytes: string): string {
  let text: string
  try {
    text = utf8.decode(Buffer.from(bytes, 'latin1'))
  } catch {
    text = bytes
  }
  return showText(text)
}

/** Text of strangers made safe for a terminal and a table: no control, bidirectional or invisible characters. */
export function showText(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, (char) => {
    if (char === '\n') return '\\n'
    if (char === '\t') return '\\t'
    return `\\u{${char.codePointAt(0)!.toString(16)}}`
  })
}

/** A byte string as plain ASCII (percent-encoded) that can travel in an argument; `decodePath` is its exact inverse. */
export function encodePath(bytes: string): string {
  return bytes.replace(
    /[^A-Za-z0-9._/+@-]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  )
}

export function decodePath(encoded: string): string {
  return encoded.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}

/** Git's own quoting of odd names in patch headers ("a\tb\303\244"), undone into a byte string. */
export function unquoteGitPath(quoted: string): string {
  if (!quoted.startsWith('"')) return quoted
  const named: Record<string, string> = {
    a: '\x07',
    b: '\b',
    t: '\t',
    n: '\n',
    v: '\v',
    f: '\f',
    r: '\r',
    '"': '"',
    '\\': '\\',
  }
  return quoted
    .slice(1, quoted.lastIndexOf('"'))
    .replace(/\\([0-7]{3}|.)/g, (_, mark: string) =>
      mark.length === 3 ? String.fromCharCode(Number.parseInt(mark, 8)) : (named[mark] ?? mark),
    )
}

export function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

export function folderOf(path: string): string {
  const slash = path.lastIndexOf('/')
  return slash < 0 ? '' : path.slice(0, slash)
}
