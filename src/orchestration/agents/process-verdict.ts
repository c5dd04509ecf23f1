import type { ProcessEnd } from '../../foundation/platform/processes/index.ts'
import type { AttemptError } from '../runners/exchange-contract.ts'
import { breachText } from './attempt-limits.ts'

/** What the end of a process means for its attempt; null: it ended well. @param said its last words */
export function processError(end: ProcessEnd, said: string): AttemptError | null {
  if (end.breach !== null) return { code: 'limit-exceeded', message: breachText(end.breach), retry: 'never' }
  if (end.lost) return { code: 'supervisor-lost', message: 'the supervisor of the command ended', retry: 'later' }
  if (end.survivors > 0) {
    const message = `${end.survivors} processes of the command could not be ended`
    return { code: 'workspace-busy', message, retry: 'later' }
  }
  const message = said === '' ? processEndText(end) : `${processEndText(end)}: ${said}`
  if (end.signal !== null) return { code: 'signal', message, signal: end.signal, retry: 'later' }
  if (end.exitCode !== 0) return { code: 'exit-code', message, exitCode: end.exitCode ?? -1, retry: 'later' }
  return null
}

export function processEndText(end: ProcessEnd): string {
  if (end.breach !== null) return breachText(end.breach)
  return end.signal === null ? `exit code ${end.exitCode}` : `ended by ${end.signal}`
}
