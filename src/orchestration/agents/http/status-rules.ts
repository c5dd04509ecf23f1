import type { AppError } from '../../../foundation/kernel/errors.ts'
import type { HttpAgentSettings } from '../../../foundation/platform/config/http-agent.ts'
import { sessionErrors } from '../sessions/session-errors.ts'

export function isOk({ ok }: Pick<HttpAgentSettings, 'ok'>, status: number): boolean {
  return ok === null ? status >= 200 && status < 300 : ok.includes(status)
}

/** What a status that is no success means for the attempt. @param why in the words of the service */
export function failureOf(status: number, why: string): AppError {
  const text = `status ${status}${why === '' ? '' : `: ${why}`}`
  if (status === 401 || status === 403) return sessionErrors['agent-auth'](text)
  if (status === 429) return sessionErrors['agent-limit'](text)
  if (status === 408 || status === 425 || status === 502 || status === 503 || status === 504)
    return sessionErrors['agent-unreachable'](text)
  if (status >= 500) return sessionErrors['agent-failed'](text)
  if (status >= 400) return sessionErrors['agent-refused'](text)
  return sessionErrors['agent-protocol'](`${text} (redirects are not followed)`)
}
