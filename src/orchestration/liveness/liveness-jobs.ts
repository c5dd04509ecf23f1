import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { Database } from '../../foundation/platform/database/database.ts'
import { createLoop, type Loop } from '../../foundation/runtime/loop.ts'
import type * as figures from '../runs/liveness-figures.ts'
import { isRunEnded } from '../runs/states-contract.ts'
import {
  findFanOut,
  findNoProgress,
  findRepeatedAttempts,
  findRepeatedRuns,
  type SeenUntil,
  type Suspicion,
} from './detectors.ts'
import type { DetectorName, LivenessPolicy } from './liveness-contract.ts'
import {
  type AgentLimits,
  agentLimitOf,
  byRoom,
  bySteering,
  type LivenessService,
  mergePolicy,
} from './liveness-service.ts'
import {
  answeredFindings,
  type FindingRow,
  openFindings,
  openQuestions,
  overdueFindings,
  readPolicies,
} from './liveness-store.ts'
import type { OutputWatch } from './output-watch.ts'

/** What the `runs` part tells of tasks and runs. */
export interface LivenessFigures {
  readonly silentTasks: typeof figures.silentTasks
  readonly failingTasks: typeof figures.failingTasks
  readonly recentRuns: typeof figures.recentRuns
  readonly runsAtWork: typeof figures.runsAtWork
  readonly statesOfRuns: typeof figures.statesOfRuns
}

export interface LivenessJobOptions {
  readonly service: LivenessService
  readonly figures: LivenessFigures
  readonly limits: AgentLimits
  /** What attempts of this process print; null: it runs none. */
  readonly output: OutputWatch | null
  /** Milliseconds between looks. Default 2,000. */
  readonly pollMs?: number
  readonly onError: (error: unknown) => void
}

const most = 1_000
/** Runs of a tenant that are looked at, and how far back. */
const mostRuns = 2_000
const runsWithinMs = 3_600_000
/** The slower looks are made every so often, ms. */
const slowEveryMs = 10_000
const answersKeptMs = 7 * 86_400_000

type Policies = (tenant: TenantId) => LivenessPolicy

/** Runs the detectors. Any number of processes may run one: the lock of a subject sees to it that it is found once. */
export class LivenessJob {
  readonly #database: Database
  readonly #options: LivenessJobOptions
  #slowAt = Number.NEGATIVE_INFINITY

  constructor(database: Database, options: LivenessJobOptions) {
    this.#database = database
    this.#options = options
  }

  start(): Loop {
    return createLoop({
      pollMs: this.#options.pollMs ?? 2_000,
      idle: { pulse: this.#database.pulse },
      onError: this.#options.onError,
      step: () => this.look(),
    })
  }

  /** One look by all detectors. */
  async look(): Promise<void> {
    const now = this.#database.clock.now()
    const { rows, overdue, held } = await this.#database.asSystem('liveness').read(async (tx) => ({
      rows: await readPolicies(tx, null),
      overdue: await overdueFindings(tx, now, 100),
      held: await openFindings(tx, 'runaway_fan_out'),
    }))
    const policies = policiesOf(rows)
    for (const finding of overdue) {
      const { default: answer } = policies(finding.tenant)[finding.detector]
      await this.#options.service.settle(finding, answer, 'deadline')
    }
    const limited = rows.filter((row) => row.detector === 'runaway_fan_out').map((row) => row.tenant)
    if (limited.length > 0 || held.length > 0) await this.#fanOut(policies, limited, held)
    const monotonic = this.#database.clock.monotonic()
    if (monotonic - this.#slowAt < slowEveryMs) return
    this.#slowAt = monotonic
    let seen = await lookAround(this.#database, this.#options.figures)
    // What is let go changes what there is to see.
    if (seen.open.length > 0 && (await this.#settleSteered(seen)))
      seen = await lookAround(this.#database, this.#options.figures)
    for (const suspicion of this.#suspicions(policies, seen)) {
      const policy = policies(suspicion.tenant)
      if (!policy[suspicion.detector].enabled) continue
      await this.#options.service.raise(suspicion, policy)
    }
  }

  /** What somebody let go on by another way, or ended, needs no answer any more. False: there is nothing of the kind. */
  async #settleSteered({ open, states }: Seen): Promise<boolean> {
    const stateOf = new Map(states.map((run) => [run.id, run.state]))
    const steered = open.filter((finding) => {
      const now = finding.evidence.runs.flatMap((id) => stateOf.get(id) ?? [])
      const ended = now.every(isRunEnded)
      // Runs that come again and again are asked about, whatever became of the ones before.
      return ended ? finding.subjectKind === 'task' : !now.includes('paused')
    })
    for (const finding of steered) await this.#options.service.settle(finding, 'continue', bySteering)
    return steered.length > 0
  }

  #suspicions(policies: Policies, { now, until, silent, failing, runs }: Seen): readonly Suspicion[] {
    const byTenant = <T extends { readonly tenant: TenantId }>(
      items: readonly T[],
      find: (own: readonly T[], policy: LivenessPolicy) => Suspicion[],
    ) => [...Map.groupBy(items, (item) => item.tenant)].flatMap(([tenant, own]) => find(own, policies(tenant)))
    const fresh = silent.filter((task) => {
      const answered = until('no_progress', task.taskId)
      return answered === null || task.progressAt >= answered
    })
    return [
      ...byTenant(fresh, (own, policy) => findNoProgress(own, policy, now)),
      ...byTenant(failing, (own, policy) => findRepeatedAttempts(own, policy, until)),
      ...byTenant(runs, (own, policy) => findRepeatedRuns(own, policy, now, until)),
      ...this.#circling(policies),
    ]
  }

  #circling(policies: Policies): Suspicion[] {
    const { output } = this.#options
    return (output?.circling(10) ?? []).flatMap(({ tenant, taskId, runId, step, turn, line }) => {
      const policy = policies(tenant)
      if (turn.length < policy.repeated_outputs.lines) return []
      // What it says from now on is another matter.
      output!.forget(taskId)
      const detector: DetectorName = turn.period === 2 ? 'oscillation' : 'repeated_outputs'
      const words = turn.period === 1 ? 'the same line' : `the same ${turn.period} lines in turn`
      return [
        {
          tenant,
          detector,
          subject: { kind: 'task' as const, id: taskId },
          runs: [runId],
          schedules: [],
          explanation: `${step} printed ${words} ${turn.length} times: ${line.slice(0, 120)}`,
        },
      ]
    })
  }

  /** Sees to it that limits are kept as the policies say, tells who wants more, and ends what was told when nobody waits. */
  async #fanOut(policies: Policies, tenants: readonly TenantId[], held: readonly FindingRow[]): Promise<void> {
    const { service, figures, limits } = this.#options
    const { kept, runs } = await this.#database.asSystem('liveness').read(async (tx) => ({
      kept: await limits.kept(tx, tenants),
      runs: await figures.runsAtWork(
        tx,
        tenants.map((tenant) => ({ tenant, budget: limits.budgetOf(tenant) })),
      ),
    }))
    for (const tenant of tenants) {
      const wanted = agentLimitOf(policies(tenant))
      if (wanted !== (kept.get(tenant) ?? null)) await limits.keep(tenant, wanted)
    }
    for (const suspicion of findFanOut(runs, policies)) await service.raise(suspicion, policies(suspicion.tenant))
    for (const finding of held) {
      if (policies(finding.tenant).runaway_fan_out.action !== 'act') continue
      const waits = runs.some((run) => run.tenant === finding.tenant && run.heldBack > 0)
      if (!waits) await service.settle(finding, 'continue', byRoom)
    }
  }
}

type Seen = Awaited<ReturnType<typeof lookAround>>

/** Everything that the slower detectors judge, in one look. */
function lookAround(database: Database, figures: LivenessFigures) {
  const now = database.clock.now()
  const ago = (ms: number) => new Date(now.getTime() - ms)
  return database.asSystem('liveness').read(async (tx) => {
    const open = await openQuestions(tx)
    const asked = open.flatMap(({ tenant, evidence }) => evidence.runs.map((runId) => ({ tenant, runId })))
    return {
      now,
      open,
      states: asked.length === 0 ? [] : await figures.statesOfRuns(tx, asked),
      until: untilOf(await answeredFindings(tx, ago(answersKeptMs))),
      silent: await figures.silentTasks(tx, ago(1_000), most),
      failing: await figures.failingTasks(tx, 2, most),
      runs: await figures.recentRuns(tx, ago(runsWithinMs), mostRuns),
    }
  })
}

function untilOf(rows: Awaited<ReturnType<typeof answeredFindings>>): SeenUntil {
  const until = new Map(rows.map((row) => [`${row.detector}/${row.subject}`, row.until]))
  return (detector, subject) => until.get(`${detector}/${subject}`) ?? null
}

function policiesOf(rows: Awaited<ReturnType<typeof readPolicies>>): Policies {
  const own = new Map([...Map.groupBy(rows, (row) => row.tenant)].map(([tenant, said]) => [tenant, mergePolicy(said)]))
  const usual = mergePolicy([])
  return (tenant) => own.get(tenant) ?? usual
}
