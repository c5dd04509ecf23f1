import type { Random } from '../../foundation/kernel/random.ts'
import type { AttemptError, AttemptOutcome } from '../runners/exchange-contract.ts'
import type { ResolvedRetry } from '../workflows/task-contract.ts'

export interface EndedAttempt {
  readonly outcome: Exclude<AttemptOutcome, 'succeeded'>
  readonly error: AttemptError | null
  /** Attempts so far, this one included, without those lost with their runner. */
  readonly attempt: number
}

export type AfterAttempt = { readonly retryInMs: number } | { readonly retryInMs: null }

const final: AfterAttempt = { retryInMs: null }

/** Failures that may pass on their own, when the policy does not list which. */
const passing: ReadonlySet<string> = new Set(['exit-code', 'signal', 'timeout', 'output-invalid', 'agent-unavailable'])

/**
 * Whether a failed attempt is followed by another, and after how long: exponential back-off, of which a random share up
 * to `jitter` is taken off.
 */
export function afterAttempt(ended: EndedAttempt, retry: ResolvedRetry, random: Random): AfterAttempt {
  if (ended.outcome === 'cancelled' || ended.attempt >= retry.attempts) return final
  const { error } = ended
  const code = ended.outcome === 'timed-out' ? 'timeout' : (error?.code ?? 'failed')
  const listed =
    retry.on === undefined ? passing.has(code) || error?.retry === 'later' : isListed(retry.on, code, error?.exitCode)
  if (!listed) return final
  const { initialMs, factor, maxMs, jitter } = retry.backoff
  const delay = Math.min(maxMs, initialMs * factor ** (ended.attempt - 1))
  return { retryInMs: Math.round(delay * (1 - jitter * random.next())) }
}

function isListed(on: readonly (number | string)[], code: string, exitCode: number | undefined): boolean {
  return on.some((item) => item === code || (exitCode !== undefined && item === exitCode))
}
