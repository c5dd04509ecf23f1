/** A piece of a template: text as it stands, or an expression with its place in the text (`at`: where its CEL begins). */
export type Segment =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'expression'; readonly source: string; readonly at: number }

export type TemplateResult =
  | { readonly ok: true; readonly segments: readonly Segment[] }
  | { readonly ok: false; readonly at: number; readonly message: string }

const open = '${{'

export function hasExpression(text: string): boolean {
  return text.includes(open)
}

/** Splits `text ${{ cel }} text`. Braces and quotes inside the CEL are respected, so map literals need no escape. */
export function parseTemplate(text: string): TemplateResult {
  const segments: Segment[] = []
  let done = 0
  for (let start = text.indexOf(open); start !== -1; start = text.indexOf(open, done)) {
    const from = start + open.length
    const end = findEnd(text, from)
    if (end === -1) return { ok: false, at: start, message: '${{ has no matching }}' }
    const inner = text.slice(from, end)
    const source = inner.trim()
    if (source === '') return { ok: false, at: start, message: '${{ }} holds no expression' }
    if (start > done) segments.push({ kind: 'text', text: text.slice(done, start) })
    segments.push({ kind: 'expression', source, at: from + inner.indexOf(source) })
    done = end + 2
  }
  if (done < text.length || segments.length === 0) segments.push({ kind: 'text', text: text.slice(done) })
  return { ok: true, segments }
}

/** The index of the `}}` that closes an expression that begins at `from`, or -1. */
function findEnd(text: string, from: number): number {
  let depth = 0
  for (let i = from; i < text.length; i++) {
    const char = text[i]
    if (char === '"' || char === "'") {
      const end = skipString(text, i)
      if (end === -1) return -1
      i = end
    } else if (char === '{') {
      depth++
    } else if (char === '}') {
      if (depth > 0) depth--
      else if (text[i + 1] === '}') return i
    }
  }
  return -1
}

/** The index of the last quote of a CEL string that begins at `from`, or -1 where it does not end. As in the library, \\ also skips in raw strings. */
function skipString(text: string, from: number): number {
  const quote = text[from] as string
  const mark = text.startsWith(quote.repeat(3), from) ? quote.repeat(3) : quote
  for (let i = from + mark.length; i < text.length; i++) {
    if (text[i] === '\\') i++
    else if (text.startsWith(mark, i)) return i + mark.length - 1
  }
  return -1
}
