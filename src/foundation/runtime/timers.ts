import type { TenantId } from '../kernel/ids.ts'
import type { JsonObject } from '../kernel/json.ts'
import type { Database, ReadTx, Tx } from '../platform/database/database.ts'
import { prepared, sql } from '../platform/database/sql.ts'
import { createLoop, isQuiet, type Loop } from './loop.ts'

/** Something to do at a time. `id` is unique in its tenant; setting it again moves it. */
export interface Timer {
  readonly tenant: TenantId
  readonly id: string
  readonly kind: string
  readonly subjectId: string
  readonly dueAt: Date
  readonly data?: JsonObject
}

/** Called in the transaction that removes the timers: they fire exactly once. */
export type TimerHandler = (tx: Tx, timers: readonly Timer[], now: Date) => Promise<void>

/** Rows are written in the order of their keys, so that two transactions that set the same timers cannot deadlock. */
export async function setTimers(tx: Tx, timers: readonly Timer[]): Promise<void> {
  if (timers.length === 0) return
  tx.post(prepared('set-timers')`
    insert into timers (tenant_id, id, kind, subject_id, due_at, data)
    select * from unnest(${timers.map((t) => t.tenant)}::text[], ${timers.map((t) => t.id)}::text[],
      ${timers.map((t) => t.kind)}::text[], ${timers.map((t) => t.subjectId)}::text[],
      ${timers.map((t) => t.dueAt)}::timestamptz[], ${timers.map((t) => JSON.stringify(t.data ?? {}))}::jsonb[])
      as i(tenant_id, id, kind, subject_id, due_at, data)
    order by i.tenant_id, i.id
    on conflict (tenant_id, id) do update set kind = excluded.kind, subject_id = excluded.subject_id,
      due_at = excluded.due_at, data = excluded.data`)
}

export async function cancelTimers(tx: Tx, timers: readonly Pick<Timer, 'tenant' | 'id'>[]): Promise<void> {
  if (timers.length === 0) return
  tx.post(prepared('cancel-timers')`
    delete from timers t using unnest(${timers.map((t) => t.tenant)}::text[], ${timers.map((t) => t.id)}::text[])
      as gone(tenant_id, id)
    where t.tenant_id = gone.tenant_id and t.id = gone.id`)
}

export interface TimerLoopOptions {
  readonly handlers: Readonly<Record<string, TimerHandler>>
  /** Timers a transaction, at most. Default 200. */
  readonly limit?: number
  readonly pollMs?: number
  /** How long a timer rests whose handler threw, ms. Default 5,000. */
  readonly restMs?: number
  readonly onError: (error: unknown) => void
}

/**
 * Fires due timers, by kind and in the order they fell due. Where a batch fails, its timers are fired one by one, so
 * that one whose handler throws cannot hold up the others: it rests and is tried again. Kinds without a handler here are
 * left to the processes that have one.
 */
export function startTimers(database: Database, options: TimerLoopOptions): Loop {
  const system = database.asSystem('timers')
  const { handlers, limit = 200, restMs = 5_000, onError } = options
  const kinds = Object.keys(handlers)

  const fire = (tx: Tx, timers: readonly Timer[], now: Date) => handlers[timers[0]!.kind]!(tx, timers, now)

  const fireBatch = (now: Date) =>
    system.write(async (tx) => {
      const due = await takeDue(tx, kinds, now, limit)
      for (const timers of Map.groupBy(due, (timer) => timer.kind).values()) await fire(tx, timers, now)
      return due.length
    })

  const fireEach = async (now: Date) => {
    const due = await system.read((tx) => listDue(tx, kinds, now, limit))
    for (const { tenant, id } of due) {
      try {
        await system.write(async (tx) => {
          const timer = await takeOne(tx, tenant, id, now)
          if (timer !== null) await fire(tx, [timer], now)
        })
      } catch (error) {
        onError(error)
        await system.write((tx) => postpone(tx, tenant, id, new Date(now.getTime() + restMs), now))
      }
    }
    return due.length
  }

  return createLoop({
    pollMs: options.pollMs ?? 250,
    idle: { pulse: database.pulse },
    onError,
    step: async () => {
      const now = database.clock.now()
      if (isQuiet(database.pulse)) {
        const next = await system.read((tx) => nextDue(tx, kinds))
        if (next === null) return
        if (next > now) return next.getTime() - now.getTime()
      }
      const fired = await fireBatch(now).catch(() => fireEach(now))
      return fired === limit
    },
  })
}

/** When the next timer falls due; null: there is none. */
async function nextDue(tx: ReadTx, kinds: readonly string[]): Promise<Date | null> {
  const [row] = await tx.query<{ due: Date }>(sql`
    select due_at as due from timers where kind = any (${kinds}::text[]) order by due_at limit 1`)
  return row?.due ?? null
}

/** Removes and returns what is due, skipping what another process is firing. */
async function takeDue(tx: Tx, kinds: readonly string[], now: Date, limit: number): Promise<Timer[]> {
  const rows = await tx.query<TimerRow>(sql`
    with due as materialized (
      select tenant_id, id from timers where due_at <= ${now} and kind = any (${kinds}::text[])
      order by due_at limit ${limit} for update skip locked),
    taken as (
      delete from timers t using due where t.tenant_id = due.tenant_id and t.id = due.id
      returning t.tenant_id, t.id, t.kind, t.subject_id, t.due_at, t.data)
    select * from taken order by due_at, tenant_id, id`)
  return rows.map(toTimer)
}

async function listDue(tx: ReadTx, kinds: readonly string[], now: Date, limit: number): Promise<readonly Timer[]> {
  const rows = await tx.query<TimerRow>(sql`
    select tenant_id, id, kind, subject_id, due_at, data from timers
    where due_at <= ${now} and kind = any (${kinds}::text[])
    order by due_at limit ${limit}`)
  return rows.map(toTimer)
}

async function takeOne(tx: Tx, tenant: TenantId, id: string, now: Date): Promise<Timer | null> {
  const rows = await tx.query<TimerRow>(sql`
    with due as materialized (
      select tenant_id, id from timers where tenant_id = ${tenant} and id = ${id} and due_at <= ${now}
      for update skip locked)
    delete from timers t using due where t.tenant_id = due.tenant_id and t.id = due.id
    returning t.tenant_id, t.id, t.kind, t.subject_id, t.due_at, t.data`)
  return rows[0] === undefined ? null : toTimer(rows[0])
}

async function postpone(tx: Tx, tenant: TenantId, id: string, to: Date, now: Date): Promise<void> {
  await tx.execute(sql`
    update timers set due_at = ${to} where tenant_id = ${tenant} and id = ${id} and due_at <= ${now}`)
}

interface TimerRow {
  tenant_id: TenantId
  id: string
  kind: string
  subject_id: string
  due_at: Date
  data: JsonObject
}

function toTimer(row: TimerRow): Timer {
  return {
    tenant: row.tenant_id,
    id: row.id,
    kind: row.kind,
    subjectId: row.subject_id,
    dueAt: row.due_at,
    data: row.data,
  }
}
