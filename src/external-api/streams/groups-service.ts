import type { IdSource, TenantId } from '../../foundation/kernel/ids.ts'
import type { Database, Tx } from '../../foundation/platform/database/database.ts'
import { checkPosition, mapStoredPosition } from '../../foundation/runtime/cursors.ts'
import { type LoggedEvent, type LogPosition, readEvents } from '../../foundation/runtime/event-log.ts'
import { toCloudEvent } from './cloud-event-contract.ts'
import type { EventFeed } from './event-feed.ts'
import {
  ackLeases,
  buryLeases,
  countLeased,
  deleteGroup,
  deleteLeases,
  type Group,
  type GroupFigures,
  insertGroup,
  insertLeases,
  type Lease,
  listGroupRows,
  lockGroup,
  moveGroup,
  renewLeases,
  returnLeases,
  reviveLeases,
} from './groups-store.ts'
import { startPosition } from './start-position.ts'
import { streamFilter } from './stream-filter.ts'
import type { CreateGroup, LeasedEvent } from './streams-contract.ts'
import { streamErrors } from './streams-errors.ts'

export interface GroupsOptions {
  readonly database: Database
  readonly feed: EventFeed
  readonly ids: IdSource
}

/** Events that all members of a group may hold together; beyond it nothing new is handed out until some are acknowledged. */
const mostLeased = 10_000
const page = 1_000
/** Pages of the log looked at in one transaction. */
const pages = 5
/** An event that is overdue is found again within this time by a member who waits. */
const lookMs = 1_000

/**
 * Consumer groups: the members of a group share its events; each event is handed out again until somebody acknowledges
 * it. What is handed out is kept with the group, so that it outlives the log; a group that stays away for longer than the
 * log goes back gets `cursor-reset`.
 */
export class GroupsService {
  readonly #options: GroupsOptions

  constructor(options: GroupsOptions) {
    this.#options = options
  }

  list(tenant: TenantId): Promise<GroupFigures[]> {
    return this.#options.database.forTenant(tenant).read((tx) => listGroupRows(tx, tenant, null))
  }

  async show(tenant: TenantId, name: string): Promise<GroupFigures> {
    const rows = await this.#options.database.forTenant(tenant).read((tx) => listGroupRows(tx, tenant, name))
    return rows[0] ?? missing(name)
  }

  async create(tenant: TenantId, input: CreateGroup): Promise<GroupFigures> {
    const { name, filter, from, ackSeconds, maxAttempts } = input
    await this.#write(async (tx, now) => {
      const position = await startPosition(tx, from)
      const group = { tenant, name, filter, position, ackMs: ackSeconds * 1_000, maxAttempts, rev: 1, createdAt: now }
      if (!(await insertGroup(tx, group, now)))
        throw streamErrors['stream-group-exists'](`there is a group ${name} already`)
    })
    return this.show(tenant, name)
  }

  async remove(tenant: TenantId, name: string): Promise<void> {
    const removed = await this.#options.database.forTenant(tenant).write((tx) => deleteGroup(tx, tenant, name))
    if (!removed) missing(name)
  }

  async seek(tenant: TenantId, name: string, from: string): Promise<GroupFigures> {
    await this.#write(async (tx, now) => {
      await this.#lock(tx, tenant, name)
      await deleteLeases(tx, tenant, name)
      await moveGroup(tx, tenant, name, await startPosition(tx, from), now)
    })
    return this.show(tenant, name)
  }

  async ack(tenant: TenantId, name: string, tokens: readonly string[]): Promise<number> {
    return this.#options.database.forTenant(tenant).write((tx) => ackLeases(tx, tenant, name, tokens))
  }

  async nack(tenant: TenantId, name: string, tokens: readonly string[], delayMs: number): Promise<number> {
    const { database } = this.#options
    const dueAt = new Date(database.clock.now().getTime() + delayMs)
    return database.forTenant(tenant).write((tx) => returnLeases(tx, tenant, name, tokens, dueAt))
  }

  async revive(tenant: TenantId, name: string): Promise<number> {
    const { database } = this.#options
    return database.forTenant(tenant).write((tx) => reviveLeases(tx, tenant, name, database.clock.now()))
  }

  /** Hands out up to `max` events; waits up to `waitMs` where there are none. Throws `cursor-reset`. */
  async pull(
    tenant: TenantId,
    name: string,
    ask: { readonly member: string; readonly max: number; readonly waitMs: number },
    signal: AbortSignal,
  ): Promise<readonly LeasedEvent[]> {
    const { feed } = this.#options
    const { clock } = this.#options.database
    const until = clock.monotonic() + ask.waitMs
    for (;;) {
      const left = until - clock.monotonic()
      const { filter } = await this.show(tenant, name)
      const stop = AbortSignal.any([signal, AbortSignal.timeout(Math.max(0, Math.ceil(Math.min(left, lookMs))))])
      // Followed from before the look, so that nothing can come between the two unnoticed.
      const batches = left > 0 ? await feed.open({ matches: streamFilter(tenant, filter) }, stop) : null
      try {
        const leases = await this.#write((tx, now) => this.#handOut(tx, tenant, name, ask, now))
        if (leases.length > 0 || batches === null || signal.aborted) return leases
        await batches.next()
      } finally {
        await batches?.return(undefined)
      }
    }
  }

  async #handOut(
    tx: Tx,
    tenant: TenantId,
    name: string,
    { member, max }: { readonly member: string; readonly max: number },
    now: Date,
  ): Promise<readonly LeasedEvent[]> {
    const group = await this.#lock(tx, tenant, name)
    const deadline = new Date(now.getTime() + group.ackMs)
    const prefix = this.#options.ids.next<string>('tok')
    await buryLeases(tx, tenant, name, group.maxAttempts, now)
    const again = await renewLeases(tx, tenant, name, { member, prefix, deadline, limit: max }, now)
    const room = Math.min(max - again.length, mostLeased - (await countLeased(tx, tenant, name)))
    const fresh = room > 0 ? await this.#readNew(tx, group, room, now) : []
    const leases = fresh.map(
      ({ event, epoch }): Lease => ({
        tick: event.tick,
        seq: event.seq,
        token: `${prefix}.${event.seq}`,
        member,
        attempt: 1,
        event: toCloudEvent(event, epoch),
      }),
    )
    await insertLeases(tx, tenant, name, leases, deadline)
    return [...again, ...leases].map(({ token, attempt, event }) => ({ token, attempt, event }))
  }

  /** The next events of a group; its place moves behind them, and behind all that does not concern it. */
  async #readNew(
    tx: Tx,
    group: Group,
    room: number,
    now: Date,
  ): Promise<readonly { readonly event: LoggedEvent; readonly epoch: number }[]> {
    const { tenant, name } = group
    const matches = streamFilter(tenant, group.filter)
    let position: LogPosition = await mapStoredPosition(tx, group.position)
    await checkPosition(tx, position)
    const found: { event: LoggedEvent; epoch: number }[] = []
    let moved = false
    for (let n = 0; n < pages && found.length < room; n++) {
      const events = await readEvents(tx, position, page)
      for (const event of events) {
        if (found.length === room) break
        position = { epoch: position.epoch, tick: event.tick, seq: event.seq }
        moved = true
        if (matches(event)) found.push({ event, epoch: position.epoch })
      }
      if (events.length < page) break
    }
    if (moved) await moveGroup(tx, tenant, name, position, now)
    return found
  }

  async #lock(tx: Tx, tenant: TenantId, name: string): Promise<Group> {
    return (await lockGroup(tx, tenant, name)) ?? missing(name)
  }

  #write<T>(fn: (tx: Tx, now: Date) => Promise<T>): Promise<T> {
    const { database } = this.#options
    return database.asSystem('stream-groups').write((tx) => fn(tx, database.clock.now()))
  }
}

function missing(name: string): never {
  throw streamErrors['stream-group-not-found'](`there is no consumer group ${name}`)
}
