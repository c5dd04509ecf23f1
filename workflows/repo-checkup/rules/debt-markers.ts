import type { Language } from './languages.ts'

export type DebtKind = 'TODO' | 'FIXME' | 'HACK' | 'XXX'

export interface DebtMarker {
  readonly kind: DebtKind
  readonly line: number
  /** The whole line without surrounding white space, as a byte string. */
  readonly text: string
  /** Names an issue or a link. */
  readonly tracked: boolean
}

const marker = /(?<![\w$'"`-])(TODO|FIXME|HACK|XXX)(?![\w'"`$-])/

/** Marks of debt in comments; a marker in a string or in a longer word does not count. */
export function findDebt(text: string, language: Language): DebtMarker[] {
  if (!marker.test(text)) return []
  const found: DebtMarker[] = []
  const opens = language.comment.filter((mark) => mark !== '*' && mark !== '*/' && mark !== '-->')
  let line = 0
  let inBlock = false
  for (const raw of text.split('\n')) {
    line += 1
    const match = marker.exec(raw)
    if (match !== null && (inBlock || isCommented(raw, match.index, opens))) {
      const rest = raw.slice(match.index)
      const tracked = /#\d+|https?:\/\/|\b[A-Z][A-Z0-9]+-\d+\b|\bissue\b|\bgh-\d+/i.test(rest)
      found.push({ kind: match[1] as DebtKind, line, text: raw.trim().slice(0, 300), tracked })
    }
    inBlock = staysInBlock(raw, inBlock, language.comment)
  }
  return found
}

function isCommented(line: string, at: number, opens: readonly string[]): boolean {
  if (/^\s*\*/.test(line)) return true
  const before = line.slice(0, at)
  return opens.some((open) => {
    const start = before.indexOf(open)
    return start >= 0 && !/https?:$/.test(before.slice(0, start))
  })
}

function staysInBlock(line: string, inBlock: boolean, comment: readonly string[]): boolean {
  if (!comment.includes('/*')) return false
  const opened = line.lastIndexOf('/*')
  const closed = line.lastIndexOf('*/')
  if (opened < 0 && closed < 0) return inBlock
  // A quote before it makes it more likely a glob or a string than a comment.
  if (opened > closed) return inBlock || !/['"`]/.test(line.slice(0, opened))
  return false
}
