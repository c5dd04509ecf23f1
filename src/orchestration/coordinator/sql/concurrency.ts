import type { TenantId } from '../../../foundation/kernel/ids.ts'
import type { Tx } from '../../../foundation/platform/database/database.ts'
import { prepared, sql } from '../../../foundation/platform/database/sql.ts'

/** A task that asks for a place under each of its keys before it becomes ready. */
export interface Candidate {
  readonly tenant: TenantId
  readonly taskId: string
  readonly keys: readonly string[]
}

/** Makes keys known; a key keeps the limit it was last given. What is known already is not locked. */
export async function defineGroups(
  tx: Tx,
  groups: readonly { readonly tenant: TenantId; readonly key: string; readonly max: number }[],
): Promise<void> {
  if (groups.length === 0) return
  const unique = [...new Map(groups.map((group) => [`${group.tenant}/${group.key}`, group])).values()]
  tx.post(prepared('define-groups')`
    insert into concurrency_groups (tenant_id, key, max)
    select i.* from unnest(${unique.map((g) => g.tenant)}::text[], ${unique.map((g) => g.key)}::text[],
      ${unique.map((g) => g.max)}::int[]) as i(tenant_id, key, max)
    where not exists (
      select from concurrency_groups g where g.tenant_id = i.tenant_id and g.key = i.key and g.max = i.max)
    order by i.tenant_id, i.key
    on conflict (tenant_id, key) do update set max = excluded.max where concurrency_groups.max <> excluded.max`)
}

/** Takes places in the order given. Returns for each refused candidate the key that is full. A place is held until the task ends. */
export async function takePlaces(tx: Tx, candidates: readonly Candidate[]): Promise<ReadonlyMap<string, string>> {
  const refused = new Map<string, string>()
  if (candidates.length === 0) return refused
  const pairs = candidates.flatMap((c) => c.keys.map((key) => ({ tenant: c.tenant, key })))
  const rows = await tx.query<{ tenant_id: string; key: string; max: number; used: number }>(prepared('take-places')`
    select g.tenant_id, g.key, g.max, g.used from concurrency_groups g
    join (select distinct tenant_id, key from unnest(${pairs.map((p) => p.tenant)}::text[], ${pairs.map((p) => p.key)}::text[])
      as w(tenant_id, key)) w on w.tenant_id = g.tenant_id and w.key = g.key
    order by g.tenant_id, g.key for update of g`)
  const room = new Map(rows.map((row) => [`${row.tenant_id}/${row.key}`, row.max - row.used]))
  const taken = new Map<string, number>()
  for (const candidate of candidates) {
    const full = candidate.keys.find((key) => (room.get(`${candidate.tenant}/${key}`) ?? 0) <= 0)
    if (full !== undefined) {
      refused.set(candidate.taskId, full)
      continue
    }
    for (const key of candidate.keys) {
      const name = `${candidate.tenant}/${key}`
      room.set(name, room.get(name)! - 1)
      taken.set(name, (taken.get(name) ?? 0) + 1)
    }
  }
  await change(tx, taken, 1)
  return refused
}

/** Gives places back. */
export async function freePlaces(
  tx: Tx,
  freed: readonly { readonly tenant: TenantId; readonly keys: readonly string[] }[],
): Promise<void> {
  const counts = new Map<string, number>()
  for (const item of freed) {
    for (const key of item.keys) counts.set(`${item.tenant}/${key}`, (counts.get(`${item.tenant}/${key}`) ?? 0) + 1)
  }
  await change(tx, counts, -1)
}

async function change(tx: Tx, counts: ReadonlyMap<string, number>, sign: 1 | -1): Promise<void> {
  if (counts.size === 0) return
  const names = [...counts.keys()]
  await tx.execute(sql`
    with locked as (
      select g.tenant_id, g.key, w.n from concurrency_groups g
      join unnest(${names.map((n) => n.slice(0, n.indexOf('/')))}::text[], ${names.map((n) => n.slice(n.indexOf('/') + 1))}::text[],
        ${names.map((n) => sign * counts.get(n)!)}::int[]) as w(tenant_id, key, n)
        on w.tenant_id = g.tenant_id and w.key = g.key
      order by g.tenant_id, g.key for update of g)
    update concurrency_groups g set used = g.used + l.n from locked l
    where g.tenant_id = l.tenant_id and g.key = l.key`)
}

/** A task that waits for a place under one of its keys. */
export interface Waiting extends Candidate {
  /** The key for which it waits. */
  readonly waitsFor: string
  /** Its work is a run of another workflow. */
  readonly isCall: boolean
}

/** Tasks that wait for a place under one of the keys, the oldest first, as many a key as it has room. */
export async function findWaitingForPlaces(
  tx: Tx,
  keys: readonly { readonly tenant: TenantId; readonly key: string }[],
): Promise<readonly Waiting[]> {
  if (keys.length === 0) return []
  return tx.query<Waiting>(sql`
    select t.tenant_id as tenant, t.id as "taskId", t.concurrency as keys, g.key as "waitsFor", t.is_call as "isCall"
    from unnest(${keys.map((k) => k.tenant)}::text[], ${keys.map((k) => k.key)}::text[]) as w(tenant_id, key)
    join concurrency_groups g on g.tenant_id = w.tenant_id and g.key = w.key
    cross join lateral (
      select t.tenant_id, t.id, t.concurrency, t.ready_seq, coalesce(t.spec->>'kind' = 'workflow', false) as is_call from tasks t
      where t.tenant_id = w.tenant_id and t.reason = 'concurrency:' || w.key and t.state = 'waiting'
      order by t.ready_seq limit greatest(g.max - g.used, 0) for update skip locked) t
    order by t.ready_seq`)
}

/** Removes the groups that only the tasks of these runs used. */
export async function deleteGroupsOfRuns(
  tx: Tx,
  runs: readonly { readonly tenant: TenantId; readonly runId: string }[],
): Promise<void> {
  tx.post(prepared('delete-groups-of-runs')`
    delete from concurrency_groups g
    using unnest(${runs.map((r) => r.tenant)}::text[], ${runs.map((r) => r.runId)}::text[]) as e(tenant_id, id)
    where g.tenant_id = e.tenant_id
      and (g.key = 'run:' || e.id or (g.key >= 'map:' || e.id || '/' and g.key < 'map:' || e.id || '0'))`)
}
