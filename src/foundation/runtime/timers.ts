import type { TenantId } from '../kernel/ids.ts'
import type { JsonObject } from '../kernel/json.ts'
import type { Database, Tx } from '../platform/database/database.ts'
import { sql } from '../platform/database/sql.ts'
import { createLoop, type Loop } from './loop.ts'

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

export async function setTimers(tx: Tx, timers: readonly Timer[]): Promise<void> {
  if (timers.length === 0) return
  await tx.execute(sql`
    insert into timers (tenant_id, id, kind, subject_id, due_at, data)
    select * from unnest(${timers.map((t) => t.tenant)}::text[], ${timers.map((t) => t.id)}::text[],
      ${timers.map((t) => t.kind)}::text[], ${timers.map((t) => t.subjectId)}::text[],
      ${timers.map((t) => t.dueAt)}::timestamptz[], ${timers.map((t) => JSON.stringify(t.data ?? {}))}::jsonb[])
    on conflict (tenant_id, id) do update set due_at = excluded.due_at, data = excluded.data`)
}

export async function cancelTimers(tx: Tx, timers: readonly Pick<Timer, 'tenant' | 'id'>[]): Promise<void> {
  if (timers.length === 0) return
  await tx.execute(sql`
    delete from timers t using unnest(${timers.map((t) => t.tenant)}::text[], ${timers.map((t) => t.id)}::text[])
      as gone(tenant_id, id)
    where t.tenant_id = gone.tenant_id and t.id = gone.id`)
}

/** Removes and returns what is due, skipping what another process is firing. */
async function takeDue(tx: Tx, now: Date, limit: number): Promise<Timer[]> {
  const rows = await tx.query<TimerRow>(sql`
    delete from timers where (tenant_id, id) in (
      select tenant_id, id from timers where due_at <= ${now} order by due_at limit ${limit} for update skip locked)
    returning tenant_id, id, kind, subject_id, due_at, data`)
  return rows.map((row) => ({
    tenant: row.tenant_id,
    id: row.id,
    kind: row.kind,
    subjectId: row.subject_id,
    dueAt: row.due_at,
    data: row.data,
  }))
}

interface TimerRow {
  tenant_id: TenantId
  id: string
  kind: string
  subject_id: string
  due_at: Date
  data: JsonObject
}

export interface TimerLoopOptions {
  readonly handlers: Readonly<Record<string, TimerHandler>>
  readonly limit?: number
  readonly pollMs?: number
  readonly onError: (error: unknown) => void
}

/** Fires due timers, by kind. A kind without a handler fails the batch loudly and stays due. */
export function startTimers(database: Database, options: TimerLoopOptions): Loop {
  const system = database.asSystem('timers')
  const limit = options.limit ?? 200
  return createLoop({
    pollMs: options.pollMs ?? 250,
    onError: options.onError,
    step: () =>
      system.write(async (tx) => {
        const now = database.clock.now()
        const due = await takeDue(tx, now, limit)
        for (const [kind, timers] of Map.groupBy(due, (timer) => timer.kind)) {
          const handler = options.handlers[kind]
          if (handler === undefined) throw new Error(`no handler for timers of kind ${kind}`)
          await handler(tx, timers, now)
        }
        return due.length === limit
      }),
  })
}
