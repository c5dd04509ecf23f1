import { httpErrors } from './http-errors.ts'

/**
 * The revision a writer has seen: `any` where it did not say, `some` for `*` (it only has to exist), else those it names.
 */
export type ExpectedRevision = 'any' | 'some' | readonly string[]

/** Reads `If-Match`. Weak tags never match, as RFC 9110 says. */
export function readIfMatch(header: string | string[] | undefined): ExpectedRevision {
  const text = Array.isArray(header) ? header.join(',') : header
  if (text === undefined || text.trim() === '') return 'any'
  if (text.trim() === '*') return 'some'
  return tagsOf(text).filter((tag) => !tag.startsWith('W/'))
}

/**
 * Refuses a write on top of what the writer has not seen. Call it in the transaction that holds the row's lock.
 * Errors: `precondition-failed`, with the present revision.
 */
export function checkRevision(expected: ExpectedRevision, revision: number | string): void {
  if (expected === 'any' || expected === 'some' || expected.includes(tagOf(revision))) return
  throw httpErrors['precondition-failed'](`somebody has changed it meanwhile: it is at revision ${revision} now`, {
    details: { revision },
  })
}

export function tagOf(revision: number | string): string {
  return `"${String(revision)}"`
}

/** Whether the client's `If-None-Match` names what it would get. */
export function isKnown(header: string | string[] | undefined, tag: string): boolean {
  const text = Array.isArray(header) ? header.join(',') : header
  if (text === undefined) return false
  const bare = tag.replace(/^W\//, '')
  return text.trim() === '*' || tagsOf(text).some((known) => known.replace(/^W\//, '') === bare)
}

function tagsOf(text: string): string[] {
  return [...text.matchAll(/(?:W\/)?"[^"]*"/g)].map(([tag]) => tag)
}
