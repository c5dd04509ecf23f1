import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { ReadTx, Tx } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'
import type { Experience } from '../gates/confidence-contract.ts'

export interface NewSample {
  readonly tenant: TenantId
  /** Names it: what is noted twice is one sample. */
  readonly id: string
  readonly key: string
  readonly runId: string
  readonly step: string
  /** Null: what became of it is not known yet. */
  readonly success: boolean | null
}

/** How many of the newest samples count: what changed long ago must not hide what changed last week. */
export const sampleWindow = 100

/** How work of these kinds went, by key. Kinds without samples are left out. */
export async function experienceOf(
  tx: ReadTx,
  tenant: TenantId,
  keys: readonly string[],
): Promise<ReadonlyMap<string, Experience>> {
  const rows = await tx.query<Experience & { readonly key: string }>(sql`
    select k.key, s.samples, s.successes from unnest(${[...new Set(keys)]}::text[]) as k(key)
    cross join lateral (
      select count(*)::int as samples, count(*) filter (where success)::int as successes from (
        select success from work_samples w
        where w.tenant_id = ${tenant} and w.key = k.key and w.success is not null
        order by w.decided_at desc limit ${sampleWindow}) newest) s
    where s.samples > 0`)
  return new Map(rows.map(({ key, samples, successes }) => [key, { samples, successes }]))
}

export async function insertSamples(tx: Tx, samples: readonly NewSample[], now: Date): Promise<void> {
  if (samples.length === 0) return
  await tx.execute(sql`
    insert into work_samples (tenant_id, id, key, run_id, step, success, created_at, decided_at)
    select i.*, ${now}::timestamptz, case when i.success is null then null else ${now}::timestamptz end
    from unnest(${samples.map((s) => s.tenant)}::text[], ${samples.map((s) => s.id)}::text[], ${samples.map((s) => s.key)}::text[],
      ${samples.map((s) => s.runId)}::text[], ${samples.map((s) => s.step)}::text[], ${samples.map((s) => s.success)}::boolean[])
      as i(tenant_id, id, key, run_id, step, success)
    order by i.tenant_id, i.id
    on conflict do nothing`)
}

/** Somebody looked at the work of a step, and refused it. */
export async function failSamplesOfStep(
  tx: Tx,
  { tenant, runId, step }: { readonly tenant: TenantId; readonly runId: string; readonly step: string },
  now: Date,
): Promise<void> {
  await tx.execute(sql`
    update work_samples set success = false, decided_at = ${now}
    where tenant_id = ${tenant} and run_id = ${runId} and step = ${step} and success is null`)
}

/** What became of the work of runs that have ended; of one that was cancelled nobody knows. */
export async function settleSamples(
  tx: Tx,
  runs: readonly { readonly tenant: TenantId; readonly runId: string; readonly success: boolean | null }[],
  now: Date,
): Promise<void> {
  if (runs.length === 0) return
  const ended = sql`unnest(${runs.map((r) => r.tenant)}::text[], ${runs.map((r) => r.runId)}::text[],
    ${runs.map((r) => r.success)}::boolean[]) as r(tenant_id, run_id, success)`
  await tx.execute(sql`
    delete from work_samples w using ${ended}
    where w.tenant_id = r.tenant_id and w.run_id = r.run_id and w.success is null and r.success is null`)
  const keys = await tx.query<{ tenant: TenantId; key: string }>(sql`
    update work_samples w set success = r.success, decided_at = ${now} from ${ended}
    where w.tenant_id = r.tenant_id and w.run_id = r.run_id and w.success is null and r.success is not null
    returning w.tenant_id as tenant, w.key`)
  if (keys.length > 0) await forgetOld(tx, keys)
}

/** What no longer counts. */
async function forgetOld(tx: Tx, keys: readonly { readonly tenant: TenantId; readonly key: string }[]): Promise<void> {
  await tx.execute(sql`
    delete from work_samples w using (
      select distinct tenant_id, key from unnest(${keys.map((k) => k.tenant)}::text[], ${keys.map((k) => k.key)}::text[]) as u(tenant_id, key)) k
    where w.tenant_id = k.tenant_id and w.key = k.key and w.success is not null
      and w.decided_at < (select o.decided_at from work_samples o
        where o.tenant_id = k.tenant_id and o.key = k.key and o.success is not null
        order by o.decided_at desc offset ${sampleWindow} limit 1)`)
}
