import type { IncomingMessage } from 'node:http'
import type { RelayReply } from '../../foundation/platform/http/route.ts'
import type { Sending } from './call-settlement.ts'

const passedHeaders = ['content-type', 'request-id', 'openai-version', 'openai-processing-ms', 'openai-model']

/** The answer of an account to the caller, with who gave it and under which id the call is listed. */
export function replyOf(
  { id, hold, one, limit }: Pick<Sending, 'id' | 'hold' | 'one' | 'limit'>,
  answer: IncomingMessage,
  status: number,
  body: string,
): RelayReply {
  const { target, bound } = one
  const passed = passedHeaders.flatMap((name) => {
    const value = answer.headers[name]
    return typeof value === 'string' ? [[name, value] as const] : []
  })
  const lowered = limit !== null && limit < bound.outputTokens
  return {
    status,
    headers: {
      'content-type': 'application/json',
      ...Object.fromEntries(passed),
      ...{ 'leanvibe-account': target.account.name, 'leanvibe-model': encodeURIComponent(target.model) },
      ...(hold === null ? {} : { 'leanvibe-call': id }),
      ...(lowered ? { 'leanvibe-output-limit': String(limit) } : {}),
    },
    body,
  }
}
