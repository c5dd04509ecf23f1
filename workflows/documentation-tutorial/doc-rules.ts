import { posix } from 'node:path'

export interface DocFile {
  readonly path: string
  readonly text: string
}

export interface BrokenLink {
  readonly path: string
  readonly line: number
  readonly target: string
}

/** A block of a Markdown file, with the line of its first line of text. */
export interface Block {
  readonly language: string
  readonly line: number
  readonly text: string
}

/** Fenced blocks. One that is never closed ends with the file. */
export function blocksOf(text: string): readonly Block[] {
  const blocks: Block[] = []
  let open: { fence: string; language: string; line: number; lines: string[] } | null = null
  for (const [index, line] of text.split('\n').entries()) {
    const fence = /^\s{0,3}(`{3,}|~{3,})\s*([A-Za-z0-9_+-]*)/.exec(line)
    if (open === null) {
      if (fence !== null) open = { fence: fence[1]!, language: fence[2]!.toLowerCase(), line: index + 2, lines: [] }
    } else if (fence !== null && fence[2] === '' && fence[1]!.startsWith(open.fence)) {
      blocks.push({ language: open.language, line: open.line, text: open.lines.join('\n') })
      open = null
    } else open.lines.push(line)
  }
  if (open !== null) blocks.push({ language: open.language, line: open.line, text: open.lines.join('\n') })
  return blocks
}

/** Links to files and headings of the repository that are not there. */
export function brokenLinks(
  doc: DocFile,
  paths: ReadonlySet<string>,
  anchors: ReadonlyMap<string, ReadonlySet<string>>,
): readonly BrokenLink[] {
  const found: BrokenLink[] = []
  let fence: string | null = null
  for (const [index, line] of doc.text.split('\n').entries()) {
    const mark = /^\s{0,3}(`{3,}|~{3,})/.exec(line)?.[1]
    if (mark !== undefined) fence = fence === null ? mark : mark.startsWith(fence) ? null : fence
    if (fence !== null || mark !== undefined) continue
    for (const match of line.replaceAll(/`[^`]*`/g, '').matchAll(/\]\(\s*<?([^)\s>]+)>?(?:\s+["'][^)]*)?\)/g)) {
      const target = match[1]!
      if (/^([a-z][a-z0-9+.-]*:|\/\/)/i.test(target)) continue
      const [file = '', anchor] = target.split('#')
      const decoded = decode(file)
      const path =
        file === ''
          ? doc.path
          : decoded.startsWith('/')
            ? decoded.slice(1)
            : posix.normalize(posix.join(posix.dirname(doc.path), decoded))
      const clean = path.replace(/\/$/, '')
      // What lies above the top of the repository is elsewhere: a page of its host, for example.
      if (clean.startsWith('..')) continue
      const isThere =
        clean === '.' || clean === '' || paths.has(clean) || [...paths].some((each) => each.startsWith(`${clean}/`))
      const known = anchors.get(clean)
      if (!isThere || (anchor && known !== undefined && !known.has(anchor.toLowerCase())))
        found.push({ path: doc.path, line: index + 1, target })
    }
  }
  return found
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    // A per cent sign of its own.
    return text
  }
}

/** Names of headings, as hosts of repositories make them. */
export function anchorsOf(text: string): ReadonlySet<string> {
  const seen = new Map<string, number>()
  const found = new Set<string>()
  for (const match of text.matchAll(/^#{1,6}\s+(.+?)\s*#*$/gm)) {
    const words = match[1]!.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1').replaceAll(/[`*]/g, '')
    const slug = words
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replaceAll(/\s/g, '-')
    const count = seen.get(slug) ?? 0
    seen.set(slug, count + 1)
    found.add(count === 0 ? slug : `${slug}-${count}`)
  }
  for (const match of text.matchAll(/<a\s+(?:name|id)=["']([^"']+)["']/g)) found.add(match[1]!.toLowerCase())
  return found
}

/** Commands of the documentation that name a script, target or file that the repository does not have. */
export function unknownCommands(
  doc: DocFile,
  world: {
    readonly scripts: ReadonlySet<string> | null
    readonly targets: ReadonlySet<string> | null
    readonly paths: ReadonlySet<string>
  },
): readonly { readonly path: string; readonly line: number; readonly what: string }[] {
  const found: { path: string; line: number; what: string }[] = []
  for (const block of blocksOf(doc.text)) {
    if (!/^(sh|bash|shell|console|zsh|)$/.test(block.language)) continue
    for (const [index, raw] of block.text.split('\n').entries()) {
      const line = raw.replace(/^\s*\$\s+/, '').trim()
      const tell = (what: string) => found.push({ path: doc.path, line: block.line + index, what })
      const script = /^(?:npm|pnpm|yarn)\s+run\s+([\w:.-]+)/.exec(line)?.[1]
      if (script !== undefined && world.scripts !== null && !world.scripts.has(script)) tell(`npm run ${script}`)
      const target = /^make\s+([\w.-]+)\s*$/.exec(line)?.[1]
      if (target !== undefined && world.targets !== null && !world.targets.has(target)) tell(`make ${target}`)
      const file = /^(?:(?:bash|sh|node|python3?)\s+)?\.\/([\w./-]+\.(?:sh|[cm]?js|py|ts))(?:\s|$)/.exec(line)?.[1]
      if (file !== undefined && !world.paths.has(posix.normalize(file))) tell(`./${file}`)
    }
  }
  return found
}
