import type { Clock } from '../../kernel/clock.ts'
import type { Random } from '../../kernel/random.ts'
import type { Database } from './database.ts'
import type { Hints } from './hints.ts'
import { assertTenant, type Backend, createScope } from './scope.ts'

export interface DatabaseParts {
  readonly kind: Database['kind']
  readonly backend: Backend
  readonly clock: Clock
  readonly hints: Hints
  readonly random: Random
  readonly onWarning: (error: unknown) => void
  /** Ends everything underneath. Called once. */
  readonly close: () => Promise<void>
}

/** The port over the parts of either kind. */
export function createDatabase({ kind, backend, clock, hints, random, onWarning, close }: DatabaseParts): Database {
  const scopeOptions = { random, onHookError: onWarning }
  const system = createScope(backend, 'system', null, scopeOptions)
  let closing: Promise<void> | undefined

  function closeOnce(): Promise<void> {
    closing ??= Promise.resolve(hints.close()).then(close)
    return closing
  }

  return {
    kind,
    clock,
    forTenant(tenant) {
      assertTenant(tenant)
      return createScope(backend, 'app', tenant, scopeOptions)
    },
    asSystem: () => system,
    listen: hints.listen,
    notify: hints.notify,
    close: closeOnce,
    [Symbol.asyncDispose]: closeOnce,
  }
}
