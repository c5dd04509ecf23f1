import type { EventEmitter } from 'node:events'
import { httpErrors } from './http-errors.ts'
import { mayUse, type Permission, type Principal } from './principal.ts'
import { toAppError } from './problem.ts'

export interface WatchedRight {
  /** Who the caller is by now. */
  readonly look: () => Promise<Principal | null>
  readonly permission: Permission
  readonly everyMs: number
  /** Aborted when the caller may no longer. */
  readonly gone: AbortController
  /** Emits `close` when there is nothing left to watch. */
  readonly end: EventEmitter
}

/** A stream outlives the moment in which its caller was let in: it ends soon after the key is revoked. */
export function watchRight({ look, permission, everyMs, gone, end }: WatchedRight): void {
  const timer = setInterval(() => {
    look().then(
      (principal) => {
        if (principal !== null && mayUse(principal, permission)) return
        gone.abort(httpErrors.unauthenticated('the key is no longer valid'))
      },
      (error) => {
        const { kind } = toAppError(error)
        if (kind === 'forbidden' || kind === 'unauthenticated') gone.abort(error)
      },
    )
  }, everyMs)
  timer.unref()
  gone.signal.addEventListener('abort', () => clearInterval(timer), { once: true })
  end.once('close', () => clearInterval(timer))
}
