import type { RunId, TenantId } from '../../foundation/kernel/ids.ts'
import type { JsonObject } from '../../foundation/kernel/json.ts'
import type { ReadTx, Tx } from '../../foundation/platform/database/database.ts'
import { json, type Query, sql } from '../../foundation/platform/database/sql.ts'
import type { DetectorName, FindingView } from './liveness-contract.ts'

export interface FindingRow {
  readonly tenant: TenantId
  readonly id: string
  readonly rev: number
  readonly detector: DetectorName
  readonly subjectKind: FindingView['subject']['kind']
  readonly subjectId: string
  readonly state: FindingView['state']
  readonly action: FindingView['action']
  readonly explanation: string
  readonly evidence: { readonly runs: readonly RunId[]; readonly schedules: readonly string[] }
  readonly foundAt: Date
  readonly deadlineAt: Date | null
  readonly answeredAt: Date | null
  readonly answeredBy: string | null
}

const columns: Query = sql`tenant_id as tenant, id, rev, detector, subject_kind as "subjectKind", subject_id as "subjectId",
  state, action, explanation, evidence, found_at as "foundAt", deadline_at as "deadlineAt", answered_at as "answeredAt",
  answered_by as "answeredBy"`

export async function insertFinding(tx: Tx, row: FindingRow): Promise<void> {
  await tx.execute(sql`
    insert into liveness_findings (tenant_id, id, detector, subject_kind, subject_id, run_id, state, action, explanation,
      evidence, found_at, deadline_at, answered_at, answered_by)
    values (${row.tenant}, ${row.id}, ${row.detector}, ${row.subjectKind}, ${row.subjectId}, ${row.evidence.runs[0] ?? null},
      ${row.state}, ${row.action}, ${row.explanation}, ${json(row.evidence)}, ${row.foundAt}, ${row.deadlineAt},
      ${row.answeredAt}, ${row.answeredBy})`)
}

/** Takes the lock under which one process at a time judges a subject. False: another is at it. */
export async function lockSubject(tx: Tx, tenant: TenantId, detector: DetectorName, subject: string): Promise<boolean> {
  const rows = await tx.query<{ got: boolean }>(sql`
    select pg_try_advisory_xact_lock(7041778, hashtext(${`${tenant}/${detector}/${subject}`})) as got`)
  return rows[0]!.got
}

/** The newest finding of a detector about a subject. */
export async function lastFinding(
  tx: ReadTx,
  tenant: TenantId,
  detector: DetectorName,
  subject: string,
): Promise<FindingRow | null> {
  const rows = await tx.query<FindingRow>(sql`
    select ${columns} from liveness_findings
    where tenant_id = ${tenant} and detector = ${detector} and subject_id = ${subject} order by found_at desc limit 1`)
  return rows[0] ?? null
}

/** Until when each subject was looked at: its findings of the last days that are not open. */
export async function answeredFindings(
  tx: ReadTx,
  since: Date,
): Promise<readonly { readonly detector: DetectorName; readonly subject: string; readonly until: Date }[]> {
  return tx.query(sql`
    select detector, subject_id as subject, max(coalesce(answered_at, found_at)) as until from liveness_findings
    where found_at > ${since} and state <> 'open' group by 1, 2 limit 10000`)
}

export async function lockFinding(tx: Tx, tenant: TenantId, id: string): Promise<FindingRow | null> {
  const rows = await tx.query<FindingRow>(sql`
    select ${columns} from liveness_findings where tenant_id = ${tenant} and id = ${id} for update`)
  return rows[0] ?? null
}

export async function saveFinding(tx: Tx, row: FindingRow): Promise<void> {
  await tx.execute(sql`
    update liveness_findings set rev = ${row.rev}, state = ${row.state}, evidence = ${json(row.evidence)},
      explanation = ${row.explanation}, answered_at = ${row.answeredAt}, answered_by = ${row.answeredBy}
    where tenant_id = ${row.tenant} and id = ${row.id}`)
}

/** Open findings whose time for an answer is over. */
export async function overdueFindings(tx: ReadTx, now: Date, limit: number): Promise<readonly FindingRow[]> {
  return tx.query(sql`
    select ${columns} from liveness_findings where state = 'open' and deadline_at <= ${now} order by deadline_at limit ${limit}`)
}

/** Open findings of one detector, of all tenants. */
export async function openFindings(tx: ReadTx, detector: DetectorName): Promise<readonly FindingRow[]> {
  return tx.query(sql`
    select ${columns} from liveness_findings where state = 'open' and detector = ${detector} limit 1000`)
}

/** Open findings that wait for an answer, of all tenants. */
export async function openQuestions(tx: ReadTx): Promise<readonly FindingRow[]> {
  return tx.query(sql`
    select ${columns} from liveness_findings where state = 'open' and action = 'ask' limit 1000`)
}

export async function listFindings(
  tx: ReadTx,
  tenant: TenantId,
  filter: {
    readonly state?: string | undefined
    readonly before: { readonly at: Date; readonly id: string } | null
    readonly limit: number
  },
): Promise<readonly FindingRow[]> {
  return tx.query(sql`
    select ${columns} from liveness_findings
    where tenant_id = ${tenant} and (${filter.state ?? null}::text is null or state = ${filter.state ?? null})
      and (${filter.before?.at ?? null}::timestamptz is null or (found_at, id) < (${filter.before?.at ?? null}::timestamptz, ${filter.before?.id ?? null}))
    order by found_at desc, id desc limit ${filter.limit}`)
}

/** What tenants have said about detectors; null: all tenants. */
export async function readPolicies(
  tx: ReadTx,
  tenant: TenantId | null,
): Promise<readonly { readonly tenant: TenantId; readonly detector: DetectorName; readonly policy: JsonObject }[]> {
  return tx.query(sql`
    select tenant_id as tenant, detector, policy from liveness_policies
    where (${tenant}::text is null or tenant_id = ${tenant}) limit 100000`)
}

export async function savePolicy(
  tx: Tx,
  tenant: TenantId,
  detector: DetectorName,
  policy: JsonObject,
  now: Date,
): Promise<void> {
  await tx.execute(sql`
    insert into liveness_policies (tenant_id, detector, policy, updated_at)
    values (${tenant}, ${detector}, ${json(policy)}, ${now})
    on conflict (tenant_id, detector) do update set policy = excluded.policy, updated_at = excluded.updated_at`)
}
