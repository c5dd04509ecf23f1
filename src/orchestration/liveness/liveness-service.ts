import type { IdSource, RunId, TenantId } from '../../foundation/kernel/ids.ts'
import type { JsonObject } from '../../foundation/kernel/json.ts'
import { parseWith } from '../../foundation/kernel/schema.ts'
import type { Database, ReadTx, Tx } from '../../foundation/platform/database/database.ts'
import { appendEvents } from '../../foundation/runtime/event-log.ts'
import type { Shard } from '../coordinator/sql/find-lanes.ts'
import type { Suspicion } from './detectors.ts'
import { type DetectorName, type FindingView, type LivenessPolicy, livenessPolicySchema } from './liveness-contract.ts'
import { livenessErrors } from './liveness-errors.ts'
import {
  type FindingRow,
  insertFinding,
  lastFinding,
  listFindings,
  lockFinding,
  lockSubject,
  readPolicies,
  saveFinding,
  savePolicy,
} from './liveness-store.ts'

/** What the detectors do to runs; the `runs` and `schedules` parts provide it. All in the caller's transaction. */
export interface RunControl {
  /**
   * Pauses those that can be; returns them. With a reason to stop, agents stop what they do for them, and those paused
   * before for which one did are returned, too; null: what is at work ends by itself.
   */
  pause(
    tx: Tx,
    tenant: TenantId,
    runs: readonly RunId[],
    stop: string | null,
    now: Date,
  ): Promise<{ readonly paused: readonly RunId[]; readonly shards: readonly Shard[] }>
  /** Lets those go on that are paused. */
  resume(tx: Tx, tenant: TenantId, runs: readonly RunId[], now: Date): Promise<readonly Shard[]>
  cancel(tx: Tx, tenant: TenantId, runs: readonly RunId[], reason: string, now: Date): Promise<readonly Shard[]>
  pauseSchedules(tx: Tx, tenant: TenantId, names: readonly string[], now: Date): Promise<void>
}

/** How many tasks of a tenant agents work on at a time; the `budgets` part keeps it. */
export interface AgentLimits {
  /** The limits that are kept now, of those tenants that have one. */
  kept(tx: ReadTx, tenants: readonly TenantId[]): Promise<ReadonlyMap<TenantId, number>>
  /** Keeps to a limit from now on; null: to none. */
  keep(tenant: TenantId, limit: number | null): Promise<void>
  /** The budget for which tasks wait that are kept back. */
  budgetOf(tenant: TenantId): string
}

/** The limit that a policy wants to be kept; null: none. */
export function agentLimitOf({ runaway_fan_out: policy }: LivenessPolicy): number | null {
  return policy.enabled && policy.action !== 'note' ? policy.maxParallelAgents : null
}

export interface LivenessServiceOptions {
  readonly database: Database
  readonly ids: IdSource
  readonly control: RunControl
  readonly limits: AgentLimits
  /** Matches what became ready with free slots, in the same transaction. */
  readonly dispatch: (tx: Tx, shards: readonly Shard[], now: Date) => Promise<void>
}

/** Who answers for a fan-out that has room again. */
export const byRoom = 'room'
/** Who answers where somebody let the runs go on by another way, or ended them. */
export const bySteering = 'steering'
/** A fan-out that comes back within this time is the one it was before, ms. */
const sameMs = 60_000

/** Findings: made by detectors, answered by people, by the clock, or by what happens next. */
export class LivenessService {
  readonly #options: LivenessServiceOptions

  constructor(options: LivenessServiceOptions) {
    this.#options = options
  }

  async policy(tenant: TenantId): Promise<LivenessPolicy> {
    const rows = await this.#options.database.forTenant(tenant).read((tx) => readPolicies(tx, tenant))
    return mergePolicy(rows)
  }

  async setPolicy(tenant: TenantId, detector: DetectorName, change: JsonObject): Promise<LivenessPolicy> {
    const { database, limits } = this.#options
    const saved = await database.forTenant(tenant).write(async (tx) => {
      const rows = await readPolicies(tx, tenant)
      const own = { ...rows.find((row) => row.detector === detector)?.policy, ...change }
      const policy = mergePolicy([...rows.filter((row) => row.detector !== detector), { detector, policy: own }])
      await savePolicy(tx, tenant, detector, own, database.clock.now())
      return policy
    })
    // Should this fail, the next look of any process makes up for it.
    if (detector === 'runaway_fan_out') await limits.keep(tenant, agentLimitOf(saved))
    return saved
  }

  async list(tenant: TenantId, filter: Parameters<typeof listFindings>[2]): Promise<FindingView[]> {
    const rows = await this.#options.database.forTenant(tenant).read((tx) => listFindings(tx, tenant, filter))
    return rows.map(toFindingView)
  }

  /** Records a suspicion and does what the policy says. Null: its subject has an open finding already, or another process is at it. */
  async raise(suspicion: Suspicion, policy: LivenessPolicy): Promise<FindingView | null> {
    const { database, control, ids, dispatch } = this.#options
    const { tenant, detector, subject } = suspicion
    const { action, deadlineMs } = policy[detector]
    return database.asSystem('liveness').write(async (tx) => {
      if (!(await lockSubject(tx, tenant, detector, subject.id))) return null
      const now = database.clock.now()
      const last = await lastFinding(tx, tenant, detector, subject.id)
      if (last?.state === 'open') return this.#extend(tx, last, suspicion, now)
      const shards: Shard[] = []
      let done = 'it is only told'
      let runs = suspicion.runs
      // A limit is kept where tasks are leased: nothing needs to be paused for it.
      const holds = detector === 'runaway_fan_out' && action === 'act'
      if (holds) done = 'they begin when there is room'
      else if (action !== 'note') {
        const stop = action === 'ask' ? suspicion.explanation : null
        const { paused, shards: freed } = await control.pause(tx, tenant, suspicion.runs, stop, now)
        // Another finding has stopped it, or it has ended: nobody is to be asked about it.
        if (action === 'ask' && subject.kind === 'task' && paused.length === 0) return null
        await control.pauseSchedules(tx, tenant, suspicion.schedules, now)
        shards.push(...freed)
        runs = paused
        done = told(paused, suspicion.schedules, waitsForAnswer)
      }
      if (action === 'act' && !holds) {
        shards.push(...(await control.cancel(tx, tenant, suspicion.runs, `${detector}: ${suspicion.explanation}`, now)))
        runs = suspicion.runs
        done = `ended ${runs.length === 0 ? 'nothing: all had ended' : runs.join(', ')}`
      }
      const asked = action === 'ask' || holds
      const row: FindingRow = {
        ...{ tenant, detector, action, rev: 1, subjectKind: subject.kind, subjectId: subject.id, foundAt: now },
        id: ids.next<string>('fnd'),
        state: asked ? 'open' : action === 'act' ? 'acted' : 'noted',
        explanation: `${suspicion.explanation}; ${done}`,
        evidence: { runs, schedules: suspicion.schedules },
        deadlineAt: action === 'ask' && deadlineMs !== null ? new Date(now.getTime() + deadlineMs) : null,
        answeredAt: null,
        answeredBy: null,
      }
      const kept = await this.#keep(tx, row, last)
      await appendEvents(tx, [findingEvent(kept, now)])
      await dispatch(tx, shards, now)
      return toFindingView(kept)
    })
  }

  /** Throws `finding-not-found`, `finding-answered`. */
  async answer(tenant: TenantId, id: string, answer: 'continue' | 'cancel', by: string): Promise<FindingView> {
    const { database } = this.#options
    return database.forTenant(tenant).write(async (tx) => {
      const row = await lockFinding(tx, tenant, id)
      if (row === null) throw livenessErrors['finding-not-found'](`there is no finding ${id}`)
      if (row.state !== 'open') throw livenessErrors['finding-answered'](`finding ${id} is ${row.state}`)
      return this.#close(tx, row, answer, by)
    })
  }

  /** Gives the default answer, or lets a fan-out go on that has room again. Nothing if it was answered meanwhile. */
  async settle(finding: FindingRow, answer: 'continue' | 'cancel', by: string): Promise<void> {
    await this.#options.database.asSystem('liveness').write(async (tx) => {
      const row = await lockFinding(tx, finding.tenant, finding.id)
      if (row?.state === 'open') await this.#close(tx, row, answer, by)
    })
  }

  async #close(tx: Tx, row: FindingRow, answer: 'continue' | 'cancel', by: string): Promise<FindingView> {
    const { database, control, dispatch } = this.#options
    const now = database.clock.now()
    const { tenant, evidence } = row
    const shards =
      answer === 'continue'
        ? await control.resume(tx, tenant, evidence.runs, now)
        : await control.cancel(tx, tenant, evidence.runs, `${row.detector}: ${row.explanation}`, now)
    const state = answer === 'continue' ? 'continued' : 'cancelled'
    const closed: FindingRow = { ...row, rev: row.rev + 1, state, answeredAt: now, answeredBy: by }
    await saveFinding(tx, closed)
    await appendEvents(tx, [findingEvent(closed, now)])
    await dispatch(tx, shards, now)
    return toFindingView(closed)
  }

  /** What was let go for lack of pressure and is back at once is the same finding, open again. */
  async #keep(tx: Tx, row: FindingRow, last: FindingRow | null): Promise<FindingRow> {
    const since = row.foundAt.getTime() - (last?.answeredAt?.getTime() ?? Number.NEGATIVE_INFINITY)
    if (last === null || last.answeredBy !== byRoom || row.state !== 'open' || since > sameMs) {
      await insertFinding(tx, row)
      return row
    }
    const again: FindingRow = { ...row, id: last.id, rev: last.rev + 1, foundAt: last.foundAt }
    await saveFinding(tx, again)
    return again
  }

  /** More runs of a subject that is waiting for an answer: they are paused with the others. */
  async #extend(tx: Tx, row: FindingRow, suspicion: Suspicion, now: Date): Promise<FindingView | null> {
    const more = suspicion.runs.filter((run) => !row.evidence.runs.includes(run))
    if (more.length === 0) return null
    const { paused, shards } = await this.#options.control.pause(tx, row.tenant, more, suspicion.explanation, now)
    if (paused.length === 0) return null
    const evidence = { ...row.evidence, runs: [...row.evidence.runs, ...paused] }
    const explanation = `${suspicion.explanation}; ${told(evidence.runs, evidence.schedules, waitsForAnswer)}`
    const longer = { ...row, rev: row.rev + 1, evidence, explanation }
    await saveFinding(tx, longer)
    await appendEvents(tx, [findingEvent(longer, now)])
    await this.#options.dispatch(tx, shards, now)
    return toFindingView(longer)
  }
}

/** The policy of a tenant: what it has said, over the defaults. */
export function mergePolicy(
  rows: readonly { readonly detector: DetectorName; readonly policy: JsonObject }[],
): LivenessPolicy {
  const said = Object.fromEntries(rows.map((row) => [row.detector, row.policy]))
  return parseWith(livenessPolicySchema, said, 'liveness policy')
}

export function toFindingView(row: FindingRow): FindingView {
  return {
    id: row.id,
    detector: row.detector,
    subject: { kind: row.subjectKind, id: row.subjectId },
    state: row.state,
    action: row.action,
    explanation: row.explanation,
    runs: [...row.evidence.runs],
    foundAt: row.foundAt.toISOString(),
    deadlineAt: row.deadlineAt?.toISOString() ?? null,
    answeredAt: row.answeredAt?.toISOString() ?? null,
    answeredBy: row.answeredBy,
  }
}

const waitsForAnswer = 'it waits for an answer'
/** Runs that a sentence names; the finding has all. */
const mostNamed = 10

function told(paused: readonly RunId[], schedules: readonly string[], next: string): string {
  const more = paused.length > mostNamed ? ` and ${paused.length - mostNamed} more` : ''
  const runs =
    paused.length === 0 ? 'nothing was open to pause' : `paused ${paused.slice(0, mostNamed).join(', ')}${more}`
  const clocks = schedules.length === 0 ? '' : ` and the schedules ${schedules.join(', ')}`
  return `${runs}${clocks}; ${next}`
}

function findingEvent(row: FindingRow, at: Date) {
  return {
    tenant: row.tenant,
    type: `liveness.${row.state}`,
    subject: { kind: 'liveness', id: row.id, rev: row.rev },
    runId: row.evidence.runs[0] ?? null,
    at,
    data: {
      detector: row.detector,
      subject: row.subjectId,
      explanation: row.explanation,
      runs: [...row.evidence.runs],
    },
  }
}
