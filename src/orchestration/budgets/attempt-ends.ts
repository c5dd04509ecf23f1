import type { Database } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'
import { appendEvents, type LoggedEvent } from '../../foundation/runtime/event-log.ts'
import type { EventReader } from '../../foundation/runtime/event-reader.ts'
import { endedEvent } from './budget-upkeep.ts'
import { hasSpenders } from './spenders-store.ts'
import { endReservations } from './sql/end-reservations.ts'
import { reservationsOfAttempts } from './sql/lost-reservations.ts'

export interface AttemptEndsOptions {
  readonly database: Database
  readonly reader: EventReader
  /** How long a holder may take to settle what may have been spent, once the lease is over, ms. Default 15,000. */
  readonly graceMs?: number
  readonly onError: (error: unknown) => void
}

const lookEveryMs = 1_000

const endings: ReadonlySet<string> = new Set(
  ['succeeded', 'failed', 'timed-out', 'cancelled', 'lost', 'retrying'].map((what) => `task.${what}`),
)

/**
 * Follows the log and ends what attempts still hold when their lease is over. A reader in memory is enough: whatever it
 * misses ends when the reservation's own time is up.
 */
export function followAttemptEnds(options: AttemptEndsOptions): { stop(): Promise<void> } {
  const stopping = new AbortController()
  const { reader, onError } = options
  const following = (async () => {
    const matches = (event: LoggedEvent) => endings.has(event.type)
    let known = { at: Number.NEGATIVE_INFINITY, any: false }
    for await (const events of reader.follow({ matches }, stopping.signal)) {
      // Where nobody reserves anything, ended tasks cost nothing.
      const at = options.database.clock.monotonic()
      if (at - known.at > lookEveryMs) known = { at, any: await anySpender(options.database).catch(() => true) }
      if (known.any) await endOfAttempts(options, events).catch(onError)
    }
  })().catch((error: unknown) => {
    if (!stopping.signal.aborted) onError(error)
  })
  return {
    async stop() {
      stopping.abort()
      await following
    },
  }
}

function anySpender(database: Database): Promise<boolean> {
  return database.asSystem('attempt-ends').read(hasSpenders)
}

/** Releases what cannot have been spent; for the rest the holder gets a little time to settle. */
export async function endOfAttempts(
  { database, graceMs = 15_000 }: AttemptEndsOptions,
  events: readonly LoggedEvent[],
): Promise<void> {
  const attempts = events.flatMap(({ tenant, subject, data }) => {
    const attempt = (data as { readonly attempt?: unknown } | null)?.attempt
    return typeof attempt === 'number' ? [{ tenant, taskId: subject.id, attempt }] : []
  })
  const system = database.asSystem('attempt-ends')
  const open = await system.read((tx) => reservationsOfAttempts(tx, attempts))
  if (open.length === 0) return
  await system.write(async (tx) => {
    const now = database.clock.now()
    const { ended } = await endReservations(
      tx,
      open.filter((one) => one.event !== 'expire'),
      [],
      now,
    )
    await appendEvents(
      tx,
      ended.map((row) => endedEvent(row, now)),
    )
    const late = open.filter((one) => one.event === 'expire')
    await tx.execute(sql`
      update reservations r set expires_at = least(r.expires_at, ${new Date(now.getTime() + graceMs)})
      from unnest(${late.map((l) => l.tenant)}::text[], ${late.map((l) => l.id)}::text[]) as i(tenant_id, id)
      where r.tenant_id = i.tenant_id and r.id = i.id and r.state = 'held'`)
  })
}
