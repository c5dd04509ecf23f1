/** A part of a guide that does something: commands to run, or a file to write first. */
export type GuidePart =
  | { readonly kind: 'sh'; readonly line: number; readonly text: string }
  | { readonly kind: 'file'; readonly line: number; readonly path: string; readonly text: string }

/** The fenced blocks of a Markdown text that are marked `sh`, or `title=PATH`; all others only show something. */
export function readGuide(markdown: string): GuidePart[] {
  const parts: GuidePart[] = []
  let open: { readonly fence: string; readonly info: string; readonly line: number; readonly text: string[] } | null =
    null
  for (const [index, text] of markdown.split('\n').entries()) {
    const fence = /^(`{3,})\s*(.*)$/.exec(text)
    if (open === null) {
      if (fence !== null) open = { fence: fence[1]!, info: fence[2]!.trim(), line: index + 1, text: [] }
    } else if (fence !== null && fence[1]!.length >= open.fence.length && fence[2] === '') {
      const [language = '', ...rest] = open.info.split(/\s+/)
      const path = rest.find((word) => word.startsWith('title='))?.slice('title='.length)
      const body = `${open.text.join('\n')}\n`
      if (path !== undefined) parts.push({ kind: 'file', line: open.line, path, text: body })
      else if (language === 'sh') parts.push({ kind: 'sh', line: open.line, text: body })
      open = null
    } else open.text.push(text)
  }
  if (open !== null) throw new Error(`the block at line ${open.line} is never closed`)
  return parts
}
