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
    if (match !== null && isCommented(raw, match.index, match[1]!.length, inBlock, opens)) {
      const rest = raw.slice(match.index)
      const tracked = /#\d+|https?:\/\/|\b[A-Z][A-Z0-9]+-\d+\b|\bissue\b|\bgh-\d+/i.test(rest)
      found.push({ kind: match[1] as DebtKind, line, text: raw.trim().slice(0, 300), tracked })
    }
    inBlock = staysInBlock(raw, inBlock, language.comment)
  }
  return found
}

/** A marker stands in a comment, and there at its beginning or before a colon or bracket: prose about TODOs is no debt. */
function isCommented(line: string, at: number, length: number, inBlock: boolean, opens: readonly string[]): boolean {
  const before = line.slice(0, at)
  const start = Math.min(...opens.map((open) => before.indexOf(open)).filter((found) => found >= 0))
  const starts = Number.isFinite(start)
  if (!starts && !inBlock && !/^\s*\*/.test(line)) return false
  if (starts && /['"`]$|https?:$/.test(before.slice(0, start))) return false
  const lead = starts ? before.slice(start) : before
  return /^[\s*/#!@;:%.<>()[\]{}"'-]*$/.test(lead) || /^\s?[:(!]/.test(line.slice(at + length))
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
