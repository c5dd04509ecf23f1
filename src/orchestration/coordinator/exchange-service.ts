import { failpoint } from '../../foundation/kernel/failpoints.ts'
import type { RunnerId } from '../../foundation/kernel/ids.ts'
import { type Random, systemRandom } from '../../foundation/kernel/random.ts'
import type { Database, Tx } from '../../foundation/platform/database/database.ts'
import { setTimers, type Timer } from '../../foundation/runtime/timers.ts'
import type { RunnersStore } from '../agents/runners-store.ts'
import type {
  Assignment,
  AttemptReport,
  ExchangePort,
  ExchangeReply,
  ExchangeRequest,
} from '../runners/exchange-contract.ts'
import { afterFailure } from './after-failure.ts'
import { ContextMemory, type LeaseContext } from './context-memory.ts'
import { coordinatorErrors } from './coordinator-errors.ts'
import { Counters } from './counters.ts'
import { handOut } from './hand-out.ts'
import type { SecondLooks } from './second-looks.ts'
import { joinSpec } from './shared-spec.ts'
import type { LeasedTask } from './sql/assign-tasks.ts'
import type { TaskChange } from './sql/change-tasks.ts'
import type { Shard } from './sql/find-lanes.ts'
import { insertArtifacts } from './sql/insert-artifacts.ts'
import { readFailed } from './sql/read-failed.ts'
import { type HeldLease, readFreshContext, readLeases } from './sql/read-leases.ts'
import { touchTasks } from './sql/touch-tasks.ts'
import type { TaskQueue } from './task-queue.ts'
import type { Taking, Ticker } from './tick.ts'

export interface ExchangeOptions {
  readonly database: Database
  readonly queue: TaskQueue
  readonly ticker: Ticker
  readonly runners: RunnersStore
  readonly secondLooks: SecondLooks
  readonly random?: Random
  /** How often a runner's leases are compared with what it holds, ms. Default 2,000. */
  readonly reconcileMs?: number
  /** Called after a commit that appended events. */
  readonly onCommit: () => void
}

/** A runner that holds more is not asked for what is new alone: that is found among all it has. */
const mostHeldForContext = 100

/** The channel on which a runner is told that something may be waiting for it. */
export function runnerChannel(runnerId: string): string {
  return `lv_runner_${runnerId}`
}

interface RunnerMemory {
  shards: readonly Shard[]
  reconciledAt: number
  /** A call that reconciles is under way: those beside it would only queue for the runner's row. */
  reconciling: boolean
  hinted: boolean
}

/** The meeting of runners and the queue: one transaction takes reports and hands out leases. */
export class ExchangeService implements ExchangePort {
  readonly #options: ExchangeOptions
  readonly #random: Random
  readonly #memory = new Map<string, RunnerMemory>()
  readonly #context = new ContextMemory()

  constructor(options: ExchangeOptions) {
    this.#options = options
    this.#random = options.random ?? systemRandom
  }

  onHint(runnerId: RunnerId, wake: () => void): () => void {
    return this.#options.database.listen(runnerChannel(runnerId), () => {
      const memory = this.#memory.get(runnerId)
      if (memory !== undefined) memory.hinted = true
      wake()
    })
  }

  async exchange(request: ExchangeRequest, _signal: AbortSignal): Promise<ExchangeReply> {
    const { database } = this.#options
    const memory = await this.#remember(request.runnerId)
    const due =
      !memory.reconciling && database.clock.monotonic() - memory.reconciledAt > (this.#options.reconcileMs ?? 2_000)
    const reconcile = memory.hinted || due
    memory.hinted = false
    // Who was told of leases comes for these: what else may be ready is for the next call.
    const fetches = reconcile && !due && request.reports.length === 0
    const shards = request.accept && !fetches ? memory.shards : []
    if (!due) return this.#exchange(request, shards, { due, reconcile })
    memory.reconciling = true
    try {
      const reply = await this.#exchange(request, shards, { due, reconcile })
      memory.reconciledAt = database.clock.monotonic()
      return reply
    } finally {
      memory.reconciling = false
    }
  }

  async #exchange(
    request: ExchangeRequest,
    shards: readonly Shard[],
    { due, reconcile }: { readonly due: boolean; readonly reconcile: boolean },
  ): Promise<ExchangeReply> {
    const { database } = this.#options
    failpoint('exchange.before')
    const reply = await database.asSystem('exchange').write(async (tx) => {
      // Most calls go as expected, and their commit travels behind their last statement. One that did not waits for answers.
      const hasty = !tx.again && !reconcile
      const now = database.clock.now()
      const counters = new Counters()
      // Runners, then tasks: the order of whoever gives a runner up.
      if (due && !(await this.#options.runners.heartbeat(tx, request.runnerId, now))) {
        throw coordinatorErrors['runner-unknown'](`nobody has registered a runner ${request.runnerId}`)
      }
      await this.#takeReports(tx, request, now, counters)
      await touchTasks(tx, request.progress, now)
      const fences = request.holding.map((held) => held.fence)
      const [leases, context, { leased, known }] = await Promise.all([
        reconcile ? readLeases(tx, request.runnerId, fences) : [],
        reconcile && fences.length < mostHeldForContext ? readFreshContext(tx, request.runnerId, fences) : [],
        this.#handOut(tx, request, shards, { now, counters, hasty }),
      ])
      this.#context.keep(context)
      if (!due && request.reports.length + request.progress.length + leased.length === 0) tx.endUnchanged()
      const mine = leased.filter((task) => task.runnerId === request.runnerId)
      const fresh = freshOf(mine, leases)
      return toReply(request, fresh, leases, reconcile, known ?? (await this.#context.read(tx, fresh)))
    })
    failpoint('exchange.after')
    return reply
  }

  async #remember(runnerId: string): Promise<RunnerMemory> {
    const known = this.#memory.get(runnerId)
    if (known !== undefined) return known
    const shards = await this.#options.database
      .asSystem('exchange')
      .read((tx) => this.#options.runners.shardsOf(tx, runnerId))
    const memory: RunnerMemory = { shards, reconciledAt: Number.NEGATIVE_INFINITY, reconciling: false, hinted: false }
    this.#memory.set(runnerId, memory)
    return memory
  }

  /** Forgets what is remembered of a runner, after its registration changed. */
  forget(runnerId: string): void {
    this.#memory.delete(runnerId)
  }

  async #takeReports(tx: Tx, request: ExchangeRequest, now: Date, counters: Counters): Promise<void> {
    const succeeded = request.reports.filter((report) => report.outcome === 'succeeded')
    const others = request.reports.filter((report) => report.outcome !== 'succeeded')
    const accepted = await this.#options.queue.complete(tx, succeeded, now, counters)
    // A success that came after a request to cancel ends the task as cancelled, if the lease is still its own.
    const late = succeeded
      .filter((report) => !accepted.has(report.fence))
      .map((report) => ({ ...report, outcome: 'cancelled' as const }))
    if (others.length + late.length > 0) await this.#takeFailures(tx, [...others, ...late], now, counters)
    const withArtifacts = request.reports.filter((report) => report.artifacts.length > 0)
    if (withArtifacts.length > 0) await insertArtifacts(tx, withArtifacts, now)
  }

  async #takeFailures(tx: Tx, reports: readonly AttemptReport[], now: Date, counters: Counters): Promise<void> {
    const rows = await readFailed(tx, reports)
    const known = new Map(rows.map((row) => [row.fence, row]))
    const changes: TaskChange[] = []
    const timers: Timer[] = []
    for (const report of reports) {
      const row = known.get(report.fence)
      if (row === undefined) continue
      // Of two reports of one lease the first counts.
      known.delete(report.fence)
      const { change, timer } = afterFailure({ ...report, usage: { ...report.usage } }, row, now, this.#random)
      changes.push(change)
      if (timer !== null) timers.push(timer)
    }
    await this.#options.queue.change(tx, changes, now, counters)
    await setTimers(tx, timers)
  }

  /** Where the transaction ends with it, the context of the leases is `known`, since no more can be read. */
  async #handOut(
    tx: Tx,
    request: ExchangeRequest,
    shards: readonly Shard[],
    { now, counters, hasty }: { readonly now: Date; readonly counters: Counters; readonly hasty: boolean },
  ): Promise<{ readonly leased: readonly LeasedTask[]; readonly known: LeaseContext | null }> {
    let known: LeaseContext | null = null
    const recall = (decided: readonly Taking[]) => {
      known = this.#context.recall(decided.filter((task) => task.runnerId === request.runnerId))
      return known !== null
    }
    const forRunner = request.runnerId
    // Slots that reports give back may be wanted by tasks that others have made ready meanwhile.
    const where = request.reports.length > 0 ? { asked: [], woken: shards } : { asked: shards, woken: [] }
    const what = { ...where, now, forRunner, counters, mayEnd: hasty ? recall : null }
    const { leased, taken, ended } = await handOut(tx, this.#options, what)
    tx.afterCommit(() => {
      this.#options.onCommit()
      this.hint(leased, request.runnerId)
      // A call without reports has given nothing back and made nothing ready.
      if (request.reports.length > 0) this.#options.secondLooks.ask(taken)
    })
    return { leased, known: ended ? known : null }
  }

  /** Tells the runners of these leases, except the one that already knows. */
  hint(leased: readonly LeasedTask[], except: string | null): void {
    for (const runnerId of new Set(leased.map((task) => task.runnerId))) {
      if (runnerId !== except) this.#options.database.notify(runnerChannel(runnerId))
    }
  }
}

/** What the runner does not know yet. */
function freshOf(given: readonly LeasedTask[], leases: readonly HeldLease[]): readonly (LeasedTask | HeldLease)[] {
  const fresh = new Map<number, HeldLease | LeasedTask>()
  for (const task of [...given, ...leases]) if (task.spec !== null) fresh.set(task.fence, task)
  return [...fresh.values()]
}

function toReply(
  request: ExchangeRequest,
  fresh: readonly (LeasedTask | HeldLease)[],
  leases: readonly HeldLease[],
  reconciled: boolean,
  context: LeaseContext,
): ExchangeReply {
  const current = new Set(leases.map((lease) => lease.fence))
  return {
    assignments: fresh.map(
      (task): Assignment => ({
        tenant: task.tenant,
        runId: task.runId,
        taskId: task.taskId,
        step: task.step,
        item: task.item,
        attempt: task.attempt,
        fence: task.fence,
        agentId: task.agentId,
        spec: joinSpec(context.sharedOf(task), task.spec),
        repo: context.repoOf(task),
      }),
    ),
    cancels: leases.flatMap((lease) =>
      lease.cancelReason === null ? [] : [{ taskId: lease.taskId, fence: lease.fence, reason: lease.cancelReason }],
    ),
    revoked: reconciled ? request.holding.filter((held) => !current.has(held.fence)) : [],
  }
}
