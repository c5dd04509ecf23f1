import { RequestMalformedError } from '@a2a-js/sdk/errors'

/** A place in a list that is ordered by time, the newest first. */
export interface ListPlace {
  readonly at: Date
  readonly runId: string
}

export function formatPlace({ createdAt, runId }: { readonly createdAt: Date; readonly runId: string }): string {
  return Buffer.from(`${createdAt.toISOString()} ${runId}`).toString('base64url')
}

/** Null for the beginning. */
export function parsePlace(token: string): ListPlace | null {
  if (token === '') return null
  const [at = '', runId = ''] = Buffer.from(token, 'base64url').toString().split(' ')
  const date = new Date(at)
  if (Number.isNaN(date.getTime()) || runId === '') throw new RequestMalformedError('the page token is none of ours')
  return { at: date, runId }
}
