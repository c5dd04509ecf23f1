import type { Clock } from '../../src/foundation/kernel/clock.ts'
import type { Database } from '../../src/foundation/platform/database/database.ts'

export interface SteeredClock {
  /** The same database, whose calendar and monotonic clock can be moved. */
  readonly database: Database
  /** Moves both forward. Loops that rest look soon. */
  advance(ms: number): void
}

/** What is due in a test is due when it says so, however slow the machine is. */
export function steerClock(db: Database): SteeredClock {
  let ahead = 0
  const database = withClock(db, {
    now: () => new Date(db.clock.now().getTime() + ahead),
    monotonic: () => db.clock.monotonic() + ahead,
  })
  return {
    database,
    advance(ms) {
      ahead += ms
      database.pulse.beat()
    },
  }
}

function withClock(database: Database, clock: Clock): Database {
  return {
    kind: database.kind,
    clock,
    pulse: database.pulse,
    forTenant: (id) => database.forTenant(id),
    asSystem: (reason) => database.asSystem(reason),
    listen: (channel, hint) => database.listen(channel, hint),
    notify: (channel, payload) => database.notify(channel, payload),
    close: () => database.close(),
    [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
  }
}
