import type { Clock } from '../../kernel/clock.ts'
import type { Random } from '../../kernel/random.ts'
import type { Database, Scope } from './database.ts'
import { databaseErrors } from './database-errors.ts'
import type { Hints } from './hints.ts'
import { createPulse } from './pulse.ts'
import { assertTenant, type Backend, createScope } from './scope.ts'
import { createTally } from './tally.ts'

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

/** How long `close` waits for the transactions under way. */
const drainMs = 5_000

/** The port over the parts of either kind. */
export function createDatabase({ kind, backend, clock, hints, random, onWarning, close }: DatabaseParts): Database {
  const underWay = createTally()
  let closing: Promise<void> | undefined

  const gate: Backend = {
    ...backend,
    async withSession(role, fn) {
      if (closing) throw databaseErrors['database-closed']('the database is closed')
      return underWay.count(() => backend.withSession(role, fn))
    },
  }
  const pulse = createPulse()
  const scopeOptions = { random, onHookError: onWarning, onEvents: pulse.beat }
  const systems = new Map<string, Scope>()

  async function drainAndClose(): Promise<void> {
    hints.close()
    await underWay.empty(drainMs)
    await close()
  }

  function closeOnce(): Promise<void> {
    closing ??= drainAndClose()
    return closing
  }

  return {
    kind,
    clock,
    pulse,
    forTenant(tenant) {
      assertTenant(tenant)
      return createScope(gate, 'app', tenant, scopeOptions)
    },
    asSystem(reason) {
      const known = systems.get(reason)
      if (known !== undefined) return known
      const scope = createScope(gate, 'system', null, { ...scopeOptions, purpose: reason })
      systems.set(reason, scope)
      return scope
    },
    listen: hints.listen,
    notify: hints.notify,
    close: closeOnce,
    [Symbol.asyncDispose]: closeOnce,
  }
}
