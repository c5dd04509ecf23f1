import { createOrchestration, type Orchestration } from '../../src/app/orchestration.ts'
import { type RunnerId, systemIds, type TenantId } from '../../src/foundation/kernel/ids.ts'
import type { JsonValue } from '../../src/foundation/kernel/json.ts'
import type { Random } from '../../src/foundation/kernel/random.ts'
import type { Database } from '../../src/foundation/platform/database/database.ts'
import { startConsumer } from '../../src/foundation/runtime/consumer.ts'
import { insertTick } from '../../src/foundation/runtime/ticker.ts'
import { startTimers } from '../../src/foundation/runtime/timers.ts'
import type { Assignment, AttemptReport } from '../../src/orchestration/runners/exchange-contract.ts'
import { retryFrom } from '../../src/orchestration/runs/retry-run.ts'
import type { RunRow } from '../../src/orchestration/runs/run-rows.ts'
import { findRun } from '../../src/orchestration/runs/runs-store.ts'
import type { TestDatabase } from './databases.ts'
import { checkInvariants } from './invariants.ts'
import { type SteeredClock, steerClock } from './steered-clock.ts'
import { type Answer, TestWorker, type WorkerOptions } from './worker.ts'

export type { Answer } from './worker.ts'

export const tenant = 'default' as TenantId

export interface TestPlatformOptions {
  /** Of the scheduler. */
  readonly tick?: Parameters<typeof createOrchestration>[0]['tick']
  /** Texts of workflows that can be called by name. */
  readonly definitions?: Readonly<Record<string, string>>
  readonly random?: Random
  readonly checkpointEveryMs?: number
  readonly onRunEnd?: readonly string[]
}

export interface StartOptions {
  readonly inputs?: Record<string, JsonValue>
  readonly parallel?: number
  readonly priority?: number
  readonly tenant?: TenantId
}

/** The real parts on a database, with workers that are driven by hand over the real exchange and a clock that can be moved. */
export class TestPlatform {
  readonly parts: Orchestration
  readonly errors: unknown[] = []
  readonly database: Database
  /** The id of the usual worker. */
  readonly runnerId = systemIds.next<RunnerId>('rnr')
  readonly #owner: TestDatabase['owner']
  readonly #clock: SteeredClock
  #worker: TestWorker | undefined

  constructor(use: TestDatabase | Database, options: TestPlatformOptions = {}) {
    const db = 'db' in use ? use.db : use
    this.#owner = 'db' in use ? use.owner : () => Promise.reject(new Error('give the platform the whole test database'))
    this.#clock = steerClock(db)
    this.database = this.#clock.database
    this.parts = createOrchestration({
      database: this.database,
      definitions: {
        find: async (name) => {
          const text = options.definitions?.[name]
          return text === undefined ? null : { text, file: `${name}.yaml` }
        },
      },
      choosePool: () => 'default',
      checkpointEveryMs: options.checkpointEveryMs ?? null,
      onRunEnd: options.onRunEnd ?? null,
      ...(options.random === undefined ? {} : { random: options.random }),
      ...(options.tick === undefined ? {} : { tick: options.tick }),
      onError: (error) => this.errors.push(error),
    })
  }

  /** Moves the calendar and the monotonic clock forward. Loops that rest look soon. */
  advance(ms: number): void {
    this.#clock.advance(ms)
  }

  /** A further worker, announced with one agent. */
  async worker(options: WorkerOptions = {}, id = systemIds.next<RunnerId>('rnr')): Promise<TestWorker> {
    const worker = new TestWorker(this, id, options)
    await worker.register()
    return worker
  }

  /** Announces the usual worker, with one agent of the default pool. */
  async register(slots = 10, capabilities: readonly string[] = []): Promise<TestWorker> {
    this.#worker = await this.worker({ slots, capabilities }, this.runnerId)
    return this.#worker
  }

  get main(): TestWorker {
    if (this.#worker === undefined) throw new Error('register the worker first')
    return this.#worker
  }

  start(text: string, options: StartOptions = {}): Promise<RunRow> {
    return this.parts.runs.start(options.tenant ?? tenant, {
      what: { text, fileName: 'test.yaml' },
      inputs: options.inputs ?? {},
      repo: null,
      priority: options.priority ?? null,
      parallel: options.parallel ?? null,
      labels: {},
    })
  }

  retry(run: RunRow, from: string | null = null): Promise<RunRow> {
    const { runs, catalog, graphOf } = this.parts
    return runs.write(run.tenant, (tx, now) => retryFrom(tx, { source: run, from, runs, catalog, graphOf }, now))
  }

  async run(id: string, of: TenantId = tenant): Promise<RunRow> {
    const run = await this.database.forTenant(of).read((tx) => findRun(tx, of, id))
    if (run === null) throw new Error(`no run ${id}`)
    return run
  }

  /** Lets the usual worker work until the run has ended or nothing is left to do. */
  work(runId: string, answer: (assignment: Assignment) => Answer, rounds = 50): Promise<RunRow> {
    return this.main.workOn(runId, answer, rounds)
  }

  exchange(reports: readonly AttemptReport[], holding?: readonly Assignment[]) {
    return this.main.exchange(reports, holding === undefined ? {} : { holding })
  }

  report(assignment: Assignment, answer: Answer): AttemptReport {
    return this.main.report(assignment, answer)
  }

  /** Fires what is due now: one round of the real loop. */
  async fireTimers(): Promise<void> {
    const loop = startTimers(this.database, {
      handlers: this.parts.timers,
      onError: (error) => this.errors.push(error),
    })
    await loop.stop()
  }

  /** Lets the waits for events see what was logged since the last call; the first call begins at the end of the log. */
  async readEvents(): Promise<void> {
    await this.database.asSystem('test').write((tx) => insertTick(tx, this.database.clock.now()))
    const loop = startConsumer(this.database, {
      name: 'event-waits',
      handle: (tx, events) => this.parts.waits(tx, events, this.database.clock.now()),
      onError: (error) => this.errors.push(error),
    })
    await loop.stop()
  }

  /** The tasks of a run, as `step`, `step[item]`, with their states and reasons. */
  tasks(runId: string): Promise<readonly TaskState[]> {
    return this.#owner<TaskState>(
      `select id, step || coalesce('[' || item || ']', '') as name, state, reason, attempt, losses, output, error
       from tasks where run_id = $1 order by step, item nulls first, id`,
      [runId],
    )
  }

  /** State by step, in the order of the definition. */
  async steps(runId: string): Promise<Record<string, string>> {
    const rows = await this.#owner<{ step: string; state: string }>(
      'select step, state from run_steps where run_id = $1 order by position',
      [runId],
    )
    return Object.fromEntries(rows.map((row) => [row.step, row.state]))
  }

  /** Fails where something that must always hold does not, or where a part reported an error. */
  async check(): Promise<void> {
    if (this.errors.length > 0) throw this.errors[0]
    await checkInvariants(this.#owner)
  }
}

export interface TaskState {
  readonly id: string
  readonly name: string
  readonly state: string
  readonly reason: string | null
  readonly attempt: number
  readonly losses: number
  readonly output: JsonValue
  readonly error: { readonly code: string; readonly message: string } | null
}
