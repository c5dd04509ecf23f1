import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { Database, ReadTx, Tx } from '../../foundation/platform/database/database.ts'
import { appendEvents, type NewEvent } from '../../foundation/runtime/event-log.ts'
import { createLoop, type Loop } from '../../foundation/runtime/loop.ts'
import { hasSpenders, noteLook, readLastLook, removeSilentSpenders } from './spenders-store.ts'
import { dueWindows } from './sql/due-windows.ts'
import { type EndedReservation, endReservations } from './sql/end-reservations.ts'
import { forgetEnded } from './sql/forget-ended.ts'
import { lostReservations } from './sql/lost-reservations.ts'
import { readRooms } from './sql/read-rooms.ts'
import { rollWindows } from './sql/roll-windows.ts'
import { takeReachedLimits } from './sql/soft-limits.ts'

export interface BudgetUpkeepOptions {
  readonly database: Database
  /** A process that has not been heard of for so long is dead, ms. Default 8,000. */
  readonly silenceMs?: number
  readonly pollMs?: number
  /** How long ended reservations are kept as the ledger, ms. Default 90 days. */
  readonly keepMs?: number
  /** Tasks that wait for budgets; the coordinator provides both. */
  readonly waiting?: {
    find(tx: ReadTx): Promise<readonly WaitedFor[]>
    wake(tx: Tx, budgets: readonly WaitedFor[], now: Date): Promise<void>
  }
  readonly onCommit?: () => void
  readonly onError: (error: unknown) => void
}

export interface WaitedFor {
  readonly tenant: TenantId
  readonly name: string
  /** No more than so many of those who wait can be served. Default: it is not known. */
  readonly most?: number
}

const batch = 500
/** Looks overlap by this much. */
const overlapMs = 10_000

/**
 * What nobody else will do: ends reservations whose holder died, begins and closes windows, tells of soft limits, and
 * forgets what is older than the ledger is kept. Any number of processes may do it at once.
 */
export class BudgetUpkeep {
  readonly #options: BudgetUpkeepOptions
  #forgotAt = Number.NEGATIVE_INFINITY
  #lookedAt: Date | null = null
  /** Somebody holds or waits for something. */
  #busy = true
  /** What each budget that tasks wait for had left at the last look. */
  #rooms: ReadonlyMap<string, number> = new Map()

  constructor(options: BudgetUpkeepOptions) {
    this.#options = options
  }

  start(): Loop {
    const { database, pollMs = 1_000, onError } = this.#options
    // What reservations do is told by no events: while there are any, looks come as often as ever.
    const step = async () => (await this.look()) || (this.#busy ? pollMs : false)
    return createLoop({ pollMs, idle: { pulse: database.pulse }, onError, step })
  }

  /** True where there was more to do than one look does. */
  async look(): Promise<boolean> {
    const { database, silenceMs = 8_000, onCommit } = this.#options
    const now = database.clock.now()
    const more = await database.asSystem('budget-upkeep').write(async (tx) => {
      const silentSince = new Date(now.getTime() - silenceMs)
      const lookedAt = this.#lookedAt ?? (await readLastLook(tx)) ?? new Date(0)
      const lost = await lostReservations(tx, { now, lookedAt, silentSince, limit: batch })
      const { ended } = await endReservations(tx, lost, [], now)
      await appendEvents(
        tx,
        ended.map((row) => endedEvent(row, now)),
      )
      if (lost.length < batch) {
        await removeSilentSpenders(tx, silentSince)
        await noteLook(tx, new Date(now.getTime() - overlapMs))
      }
      await rollWindows(tx, await dueWindows(tx, now), now)
      const reached = await takeReachedLimits(tx, now)
      await appendEvents(
        tx,
        reached.map(({ tenant, id, rev, ...data }): NewEvent => {
          return { tenant, type: 'budget.soft-limit', subject: { kind: 'budget', id, rev }, runId: null, at: now, data }
        }),
      )
      const waited = await this.#wake(tx, now)
      this.#busy = waited || (await hasSpenders(tx))
      if (ended.length + reached.length > 0 && onCommit !== undefined) tx.afterCommit(onCommit)
      return lost.length === batch
    })
    if (!more) this.#lookedAt = new Date(now.getTime() - overlapMs)
    await this.#forget(now)
    return more
  }

  /** Settled tasks wake those who wait; whoever waits for what reservations gave back is woken here. False: nobody waits. */
  async #wake(tx: Tx, now: Date): Promise<boolean> {
    const { waiting } = this.#options
    if (waiting === undefined) return false
    const names = await waiting.find(tx)
    const before = this.#rooms
    const rooms = await readRooms(tx, names)
    this.#rooms = rooms
    const keyOf = ({ tenant, name }: WaitedFor) => `${tenant}/${name}`
    const grown = names.flatMap((name) => {
      const room = rooms.get(keyOf(name)) ?? 0
      // Agents at work: whoever is woken and finds no agent stays ready, so that room for others may be left.
      if (name.name.endsWith(':agents')) return room > 0 ? [{ ...name, most: room }] : []
      const known = before.get(keyOf(name))
      return known !== undefined && room > known ? [name] : []
    })
    if (grown.length > 0) await waiting.wake(tx, grown, now)
    return names.length > 0
  }

  async #forget(now: Date): Promise<void> {
    const { database, keepMs = 90 * 86_400_000 } = this.#options
    const at = database.clock.monotonic()
    if (at - this.#forgotAt < 600_000) return
    this.#forgotAt = at
    await database.asSystem('budget-upkeep').write((tx) => forgetEnded(tx, new Date(now.getTime() - keepMs)))
  }
}

/** Ordinary ends are in the ledger; those that nobody asked for are events too. */
export function endedEvent({ tenant, id, to, runId, units, holds, spent }: EndedReservation, now: Date): NewEvent {
  const data = { units: [...units], held: [...holds], spent: [...spent] }
  return { tenant, type: `reservation.${to}`, subject: { kind: 'reservation', id, rev: 1 }, runId, at: now, data }
}
