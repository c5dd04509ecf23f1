import { type Clock, systemClock } from '../../foundation/kernel/clock.ts'
import { type AppError, isAppError } from '../../foundation/kernel/errors.ts'
import { failpoint } from '../../foundation/kernel/failpoints.ts'
import type { RunnerId } from '../../foundation/kernel/ids.ts'
import { type Random, systemRandom } from '../../foundation/kernel/random.ts'
import { defaultOutputCap } from '../../foundation/platform/processes/index.ts'
import type { SecretSource } from '../../foundation/platform/secrets/index.ts'
import type { Workspaces } from '../workspaces/index.ts'
import type { ArtifactSink } from './artifact-sink.ts'
import { AttemptsAtWork } from './attempts-at-work.ts'
import type { Assignment, AttemptReport, ExchangePort, ExchangeReply } from './exchange-contract.ts'
import type { HostedAgent } from './hosted-agent.ts'
import { LogBatcher } from './log-batcher.ts'
import type { LogSink } from './log-sink.ts'
import { Outbox } from './outbox.ts'
import { RecentFences } from './recent-fences.ts'
import { storableText } from './storable-json.ts'

export interface RunnerOptions {
  readonly id: RunnerId
  readonly port: ExchangePort
  /** The agents that live here at first, as they were registered with the coordinator. */
  readonly agents: readonly HostedAgent[]
  readonly workspaces: Workspaces
  readonly secrets: SecretSource
  readonly logs: LogSink
  /** Keeps what work in worktrees changed. Default: it is not kept. */
  readonly artifacts?: ArtifactSink
  /** Database time. */
  readonly clock?: Clock
  readonly random?: Random
  /** File for reports while the coordinator cannot be reached; null keeps none. */
  readonly outbox: string | null
  /** Bytes of output kept per attempt and stream. Default 10 MiB. */
  readonly logBytes?: number
  /** Milliseconds between looks for work when nothing hints at any. Default 1,000. */
  readonly pollMs?: number
  /** Milliseconds between progress reports of one attempt. Default 2,000. */
  readonly progressMs?: number
  /** Milliseconds until work inside this process that ignores its end is given up. Default 60,000. */
  readonly abandonMs?: number
  readonly onError: (error: unknown, assignment?: Assignment) => void
}

const fullCall = 500
const mostCalls = 4
/** Calls beside each other that bring leases. */
const mostFetches = 2
/** A further call goes out beside others only with this many reports: fuller calls cost less. */
const pipelineReports = 200
const tickMs = 100
const callTimeoutMs = 30_000
const shortestDelayMs = 100
const longestDelayMs = 5_000

/**
 * Takes leases from the coordinator, runs them on its agents, and reports their ends. Batches all the way: one call takes
 * up to 500 reports and brings new leases. No failure of an attempt or of a call stops it.
 */
export class Runner {
  readonly #options: RunnerOptions
  readonly #clock: Clock
  readonly #agents: Map<string, HostedAgent>
  #slots: number
  readonly #logs: LogBatcher
  readonly #outbox: Outbox
  readonly #attempts: AttemptsAtWork
  readonly #recent = new RecentFences()
  readonly #controllers = new Set<AbortController>()
  readonly #calls = new Set<Promise<void>>()
  #accept = true
  #closed = false
  #look = true
  #mostReports = fullCall
  #hungry = false
  /** Something waits, as the coordinator says, since the last call that could bring it. */
  #hinted = false
  #fetching = 0
  #lookedAt = Number.NEGATIVE_INFINITY
  #retryAt = Number.NEGATIVE_INFINITY
  #failures = 0
  #pumping = false
  #timer: NodeJS.Timeout | null = null
  #unsubscribe: (() => void) | null = null
  #idle: (() => void)[] = []

  constructor(options: RunnerOptions) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.#agents = new Map(options.agents.map((agent) => [agent.registration.agentId, agent]))
    this.#slots = options.agents.reduce((total, agent) => total + agent.registration.slots, 0)
    this.#logs = new LogBatcher(options.logs, this.#clock, options.onError)
    this.#outbox = new Outbox(options.outbox)
    this.#attempts = new AttemptsAtWork({
      agents: this.#agents,
      clock: this.#clock,
      progressMs: options.progressMs ?? 2_000,
      abandonMs: options.abandonMs ?? 60_000,
      services: {
        clock: this.#clock,
        workspaces: options.workspaces,
        secrets: options.secrets,
        logs: this.#logs,
        artifacts: options.artifacts,
        logBytes: options.logBytes ?? defaultOutputCap,
        onError: options.onError,
      },
      onEnd: (report) => this.#ended(report),
    })
  }

  /** Starts to take work. */
  start(): void {
    this.#unsubscribe = this.#options.port.onHint(this.#options.id, () => {
      this.#look = true
      this.#hinted = true
      this.#pumpSoon()
    })
    this.#timer = setInterval(() => this.#tick(), tickMs)
    this.#pumpSoon()
  }

  /** Leases that are being worked on. */
  get active(): number {
    return this.#attempts.size
  }

  /** The agents that live here, by id. */
  get agents(): readonly string[] {
    return [...this.#agents.keys()]
  }

  /** A further agent lives here. One that does already stays as it is. */
  add(agent: HostedAgent): void {
    const { agentId, slots } = agent.registration
    if (this.#agents.has(agentId)) return
    this.#agents.set(agentId, agent)
    this.#slots += slots
    this.#look = true
    this.#pumpSoon()
  }

  /** An agent that holds nothing lives here no longer. False: it still works. */
  remove(agentId: string): boolean {
    const agent = this.#agents.get(agentId)
    if (agent === undefined) return true
    if (this.#attempts.isBusy(agentId)) return false
    this.#agents.delete(agentId)
    this.#slots -= agent.registration.slots
    return true
  }

  /** Takes nothing new; resolves when all work has ended and is reported. */
  async drain(signal?: AbortSignal): Promise<void> {
    this.#accept = false
    this.#look = true
    this.#pumpSoon()
    while (!signal?.aborted && (this.#attempts.size > 0 || this.#outbox.size > 0)) await this.#nextIdle(signal)
  }

  /**
   * Stops at once: work is ended without a report, so that its leases pass to others; reports that were not taken are
   * kept in the file. Call `drain` before for an orderly end.
   */
  async close(): Promise<void> {
    this.#accept = false
    this.#unsubscribe?.()
    this.#attempts.stopAll('the runner stops')
    while (this.#attempts.size > 0) await this.#nextIdle()
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
    this.#closed = true
    for (const controller of this.#controllers) controller.abort(new Error('the runner stops'))
    await Promise.all(this.#calls)
    this.#outbox.save()
    await this.#logs.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #tick(): void {
    const now = this.#clock.monotonic()
    this.#attempts.watch(now)
    if (now - this.#lookedAt >= (this.#options.pollMs ?? 1_000)) this.#look = true
    this.#pump()
  }

  #pumpSoon(): void {
    if (this.#pumping) return
    this.#pumping = true
    setImmediate(() => {
      this.#pumping = false
      this.#pump()
    })
  }

  /** Starts as many calls as are worth it. One at a time while there is little to say; several while reports pile up. */
  #pump(coming = 0): void {
    if (this.#closed || this.#timer === null) return
    const now = this.#clock.monotonic()
    if (now < this.#retryAt) return
    while (this.#calls.size < mostCalls) {
      const alone = this.#calls.size === 0
      const toTell =
        this.#outbox.unsent >= (alone ? 1 : pipelineReports) || (alone && (this.#look || this.#attempts.progressDue))
      // Leases are fetched beside the reports of the ones before: the two cost the coordinator about the same.
      const room = this.#slots - this.#attempts.size - coming - this.#fetching * fullCall
      const hungry = (this.#hungry && this.#fetching < mostFetches) || (this.#hinted && this.#fetching === 0)
      const toFetch = !toTell && hungry && room > 0
      if (!toTell && !toFetch) return
      if (toFetch) this.#fetching += 1
      const call = this.#exchange(now, toFetch).finally(() => {
        this.#calls.delete(call)
        this.#settleIdle()
        this.#pumpSoon()
      })
      this.#calls.add(call)
    }
  }

  /** One call. Never rejects. */
  async #exchange(now: number, toFetch: boolean): Promise<void> {
    const { id, port } = this.#options
    let fetching = toFetch ? 1 : 0
    const reports = this.#outbox.take(toFetch ? 0 : this.#mostReports)
    // Beside calls that fetch, the others only report.
    const accept = this.#accept && (toFetch || this.#fetching === 0)
    if (accept) this.#hinted = false
    const sent = new Set(reports.map((report) => report.fence))
    const progress = this.#attempts.takeProgress(now)
    const call = this.#recent.begin()
    this.#look = false
    this.#lookedAt = now
    const controller = new AbortController()
    this.#controllers.add(controller)
    const timer = setTimeout(() => controller.abort(new Error('the coordinator does not answer')), callTimeoutMs)
    try {
      const request = { runnerId: id, reports, progress, holding: this.#holding(sent), accept }
      const reply = await port.exchange(request, controller.signal)
      this.#failures = 0
      if (this.#outbox.unsent === 0) this.#mostReports = fullCall
      for (const fence of sent) this.#recent.add(fence)
      this.#outbox.acknowledge(reports)
      if (accept) this.#hungry = reply.assignments.length >= pipelineReports
      // What these reports freed, nobody has asked to fill.
      else if (this.#accept) this.#look = true
      this.#fetching -= fetching
      fetching = 0
      // Where there was much work, more is on its way while this begins.
      if (this.#hungry) this.#pump(reply.assignments.length)
      this.#take(reply)
    } catch (error) {
      for (const { fence } of progress) this.#attempts.markMoved(fence)
      this.#outbox.giveBack(reports)
      if (!this.#closed) this.#onFailedCall(error, reports)
    } finally {
      this.#fetching -= fetching
      clearTimeout(timer)
      this.#controllers.delete(controller)
      this.#recent.end(call)
    }
  }

  #onFailedCall(error: unknown, reports: readonly AttemptReport[]): void {
    const { onError, random = systemRandom } = this.#options
    onError(error)
    // A database that went away may have taken the reports or not: either way they are sent again, and the fence tells.
    if (isAppError(error) && error.retry === 'never' && error.kind !== 'unavailable') this.#isolate(reports, error)
    this.#failures += 1
    const delay = Math.min(longestDelayMs, shortestDelayMs * 2 ** (this.#failures - 1))
    this.#retryAt = this.#clock.monotonic() + delay * (0.5 + random.next() / 2)
    this.#look = true
    try {
      this.#outbox.save()
    } catch (failure) {
      onError(failure)
    }
  }

  /** One report that can never be taken must not hold up the others: they go one by one, and the bad one without its output. */
  #isolate(reports: readonly AttemptReport[], cause: AppError): void {
    this.#mostReports = 1
    const [report] = reports
    if (reports.length !== 1 || report === undefined) return
    this.#outbox.drop(report.fence)
    if (report.error?.code === 'output-invalid' && report.output === null) return
    const message = `the result could not be recorded: ${cause.message}`
    const error = { code: 'output-invalid', message: storableText(message), retry: 'never' as const }
    this.#outbox.add({ ...report, outcome: 'failed', output: null, error, artifacts: [] })
  }

  #take(reply: ExchangeReply): void {
    const cancels = new Map(reply.cancels.map((cancel) => [cancel.fence, cancel.reason]))
    for (const { fence } of reply.revoked) {
      this.#outbox.drop(fence)
      this.#attempts.revoke(fence)
    }
    let started = 0
    for (const assignment of reply.assignments) {
      const { fence } = assignment
      if (this.#attempts.has(fence) || this.#outbox.has(fence) || this.#recent.has(fence)) continue
      this.#attempts.begin(assignment, cancels.get(fence))
      started += 1
    }
    for (const [fence, reason] of cancels) this.#attempts.cancel(fence, reason)
    // There was work, and there is room: there may be more.
    if (started > 0 && this.#attempts.size < this.#slots) this.#look = true
  }

  #ended(report: AttemptReport | null): void {
    if (report !== null) {
      failpoint('attempt.after')
      this.#outbox.add(report)
    }
    this.#settleIdle()
    this.#pumpSoon()
  }

  #holding(sent: ReadonlySet<number>) {
    const holding = this.#attempts.leases()
    for (const { taskId, fence } of this.#outbox.all()) if (!sent.has(fence)) holding.push({ taskId, fence })
    return holding
  }

  /** Resolves when an attempt or a call has ended. */
  #nextIdle(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      this.#idle.push(resolve)
      signal?.addEventListener('abort', () => resolve(), { once: true })
    })
  }

  #settleIdle(): void {
    for (const resolve of this.#idle.splice(0)) resolve()
  }
}
