import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { ReadTx, Tx } from '../../foundation/platform/database/database.ts'
import { json, type Query, sql } from '../../foundation/platform/database/sql.ts'
import type { ScalingExplanation, ScalingPolicyInput } from './scaling-contract.ts'
import type { Sample } from './signals.ts'

/** Totals at the last look: rates are differences. */
export interface Counted {
  readonly at: string
  readonly completed: number
  readonly busyMs: number
  readonly queueDepth: number
  readonly used: number
  readonly serviceMs: number | null
}

export interface PolicyRow {
  readonly tenant: TenantId
  readonly pool: string
  readonly rev: number
  readonly policy: ScalingPolicyInput
  readonly dueAt: Date
  readonly explanation: ScalingExplanation | null
  readonly counted: Counted | null
}

const columns: Query = sql`tenant_id as tenant, pool, rev, policy, due_at as "dueAt", explanation, counted`

export async function readPolicies(tx: ReadTx, tenant: TenantId, pool: string | null): Promise<readonly PolicyRow[]> {
  return tx.query(sql`
    select ${columns} from scaling_policies
    where tenant_id = ${tenant} and (${pool}::text is null or pool = ${pool}) order by pool limit 10000`)
}

export async function savePolicy(
  tx: Tx,
  tenant: TenantId,
  pool: string,
  policy: ScalingPolicyInput,
  now: Date,
): Promise<void> {
  await tx.execute(sql`
    insert into scaling_policies (tenant_id, pool, policy, due_at, updated_at)
    values (${tenant}, ${pool}, ${json(policy)}, ${now}, ${now})
    on conflict (tenant_id, pool) do update set policy = excluded.policy, due_at = excluded.due_at,
      updated_at = excluded.updated_at, rev = scaling_policies.rev + 1`)
}

/** False: there was none. */
export async function deletePolicy(tx: Tx, tenant: TenantId, pool: string): Promise<boolean> {
  const deleted = await tx.execute(sql`
    delete from scaling_policies where tenant_id = ${tenant} and pool = ${pool}`)
  return deleted === 1
}

export async function listDue(
  tx: ReadTx,
  now: Date,
  limit: number,
): Promise<readonly { readonly tenant: TenantId; readonly pool: string }[]> {
  return tx.query(sql`
    select tenant_id as tenant, pool from scaling_policies where due_at <= ${now} order by due_at limit ${limit}`)
}

/** Milliseconds until the next policy falls due; null: there is none. */
export async function nextDueIn(tx: ReadTx, now: Date): Promise<number | null> {
  const [row] = await tx.query<{ due: Date | null }>(sql`select min(due_at) as due from scaling_policies`)
  return row?.due ? row.due.getTime() - now.getTime() : null
}

/** Locks a policy that is due; null: another process was faster, or is at it. */
export async function claimDue(tx: Tx, tenant: TenantId, pool: string, now: Date): Promise<PolicyRow | null> {
  const rows = await tx.query<PolicyRow>(sql`
    select ${columns} from scaling_policies where tenant_id = ${tenant} and pool = ${pool} and due_at <= ${now}
    for update skip locked`)
  return rows[0] ?? null
}

export async function saveLook(
  tx: Tx,
  row: Pick<PolicyRow, 'tenant' | 'pool' | 'dueAt' | 'explanation' | 'counted'>,
): Promise<void> {
  await tx.execute(sql`
    update scaling_policies set due_at = ${row.dueAt}, explanation = ${json(row.explanation)}, counted = ${json(row.counted)}
    where tenant_id = ${row.tenant} and pool = ${row.pool}`)
}

type StoredSample = Omit<Sample, 'at'>

export async function insertSample(tx: Tx, tenant: TenantId, pool: string, { at, ...rest }: Sample): Promise<void> {
  await tx.execute(sql`
    insert into scaling_samples (tenant_id, pool, at, signals) values (${tenant}, ${pool}, ${at}, ${json(rest)})
    on conflict do nothing`)
}

/** Samples since `since`, oldest first, the newest ten thousand. */
export async function readSamples(tx: ReadTx, tenant: TenantId, pool: string, since: Date): Promise<readonly Sample[]> {
  const rows = await tx.query<{ at: Date; signals: StoredSample }>(sql`
    select at, signals from scaling_samples
    where tenant_id = ${tenant} and pool = ${pool} and at > ${since} order by at desc limit 10000`)
  return rows.map(({ at, signals }) => ({ ...signals, at })).reverse()
}

/** Minutes of the past around `around`, as samples with the means of what counts for demand. */
export async function readSamplesAround(
  tx: ReadTx,
  tenant: TenantId,
  pool: string,
  around: Date,
  withinMs: number,
): Promise<readonly Sample[]> {
  const [from, to] = [new Date(around.getTime() - withinMs), new Date(around.getTime() + withinMs)]
  const rows = await tx.query<{ at: Date; signals: StoredSample }>(sql`
    select at, signals from scaling_samples
    where tenant_id = ${tenant} and pool = ${pool} and at > ${from} and at <= ${to} order by at limit 1000`)
  return rows.map(({ at, signals }) => ({ ...signals, at }))
}

export async function insertDecision(
  tx: Tx,
  tenant: TenantId,
  strategy: string,
  explanation: ScalingExplanation,
  at: Date,
): Promise<void> {
  await tx.execute(sql`
    insert into scaling_decisions (tenant_id, pool, at, strategy, from_agents, to_agents, reason, explanation)
    values (${tenant}, ${explanation.pool}, ${at}, ${strategy}, ${explanation.from}, ${explanation.to}, ${explanation.reason},
      ${json(explanation)})
    on conflict (tenant_id, pool, at) do update set strategy = excluded.strategy, to_agents = excluded.to_agents,
      reason = excluded.reason, explanation = excluded.explanation`)
}

export async function readDecisions(
  tx: ReadTx,
  tenant: TenantId,
  pool: string | null,
  limit: number,
): Promise<readonly ScalingExplanation[]> {
  const rows = await tx.query<{ explanation: ScalingExplanation }>(sql`
    select explanation from scaling_decisions
    where tenant_id = ${tenant} and (${pool}::text is null or pool = ${pool}) order by at desc, pool limit ${limit}`)
  return rows.map((row) => row.explanation)
}

/** When agents were last added to a pool, and last taken away. */
export async function lastChanges(
  tx: ReadTx,
  tenant: TenantId,
  pool: string,
): Promise<{ readonly lastOutAt: Date | null; readonly lastInAt: Date | null }> {
  const [row] = await tx.query<{ out: Date | null; in: Date | null }>(sql`
    select max(at) filter (where to_agents > from_agents) as "out", max(at) filter (where to_agents < from_agents) as "in"
    from (select at, from_agents, to_agents from scaling_decisions
      where tenant_id = ${tenant} and pool = ${pool} order by at desc limit 100) newest`)
  return { lastOutAt: row?.out ?? null, lastInAt: row?.in ?? null }
}

/** Forgets samples from before `samples` and decisions from before `decisions`. */
export async function pruneScaling(
  tx: Tx,
  before: { readonly samples: Date; readonly decisions: Date },
): Promise<void> {
  await tx.execute(sql`delete from scaling_samples where at < ${before.samples}`)
  await tx.execute(sql`delete from scaling_decisions where at < ${before.decisions}`)
}
