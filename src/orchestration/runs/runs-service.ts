import type { IdSource, RunId, TenantId } from '../../foundation/kernel/ids.ts'
import type { JsonObject } from '../../foundation/kernel/json.ts'
import type { Database, Tx } from '../../foundation/platform/database/database.ts'
import type { Shard } from '../coordinator/sql/find-lanes.ts'
import type { WorkflowDefinition } from '../workflows/workflow-contract.ts'
import { findTask } from './find-task.ts'
import { runErrors } from './run-errors.ts'
import { insertRequesters, needsRequester, requestersOf } from './run-requesters.ts'
import type { RunRow } from './run-rows.ts'
import type { Inherited, RunStarter } from './run-starter.ts'
import type { RunSteering } from './run-steering.ts'
import { findRun } from './runs-store.ts'
import type { WorkflowCatalog } from './workflow-catalog.ts'

export interface RepoAt {
  readonly path: string
  readonly commit: string | null
  readonly branch: string | null
}

/** A request to start a run, parsed and with its repository looked up. */
export interface RunStart {
  readonly what: { readonly name: string } | { readonly text: string; readonly fileName: string }
  readonly inputs: JsonObject
  readonly repo: RepoAt | null
  readonly priority: number | null
  readonly parallel: number | null
  readonly labels: Readonly<Record<string, string>>
  /** Who wants it. Absent: nobody in person, as where a schedule starts it. */
  readonly requestedBy?: string
}

export interface RunsServiceOptions {
  readonly ids: IdSource
  readonly database: Database
  readonly catalog: WorkflowCatalog
  readonly starter: RunStarter
  readonly steering: RunSteering
  /** Matches new work with free slots in the same transaction. */
  readonly dispatch: (tx: Tx, shards: readonly Shard[], now: Date) => Promise<void>
  /** The same as the last word of the transaction. */
  readonly dispatchLast: (tx: Tx, shards: readonly Shard[], now: Date) => Promise<void>
}

/** Starts runs and steers them, a transaction each. */
export class RunsService {
  readonly #options: RunsServiceOptions

  constructor(options: RunsServiceOptions) {
    this.#options = options
  }

  /** @param id of the run. Default: a new one. */
  async start(tenant: TenantId, start: RunStart, id?: RunId): Promise<RunRow> {
    return this.#write(tenant, (tx, now) => this.#begin(tx, tenant, start, now, id))
  }

  /** As `start`, in the caller's transaction: the run exists if, and only if, what caused it does. */
  async startIn(tx: Tx, tenant: TenantId, start: RunStart, now: Date): Promise<RunRow> {
    const { run, shards } = await this.#begin(tx, tenant, start, now)
    await this.#options.dispatch(tx, shards, now)
    return run
  }

  async #begin(
    tx: Tx,
    tenant: TenantId,
    start: RunStart,
    now: Date,
    id?: RunId,
  ): Promise<{ run: RunRow; shards: readonly Shard[] }> {
    const { catalog, starter, ids } = this.#options
    const { definition, version } = await catalog.store(tx, tenant, start.what, now)
    const inputs = catalog.resolveInputs(definition, start.inputs)
    const runId = id ?? ids.next<RunId>('run')
    if (start.requestedBy !== undefined && needsRequester(definition)) {
      await insertRequesters(tx, { tenant, runId }, [start.requestedBy])
    }
    return starter.begin(tx, { tenant, id: runId, definition, version, from: { ...start, inputs } }, now)
  }

  /** Starts a run of the same version with the same inputs that takes over what `inherited` holds. */
  async startFrom(
    tx: Tx,
    source: RunRow,
    inherited: Inherited,
    now: Date,
    id?: RunId,
    requestedBy?: string,
  ): Promise<{ run: RunRow; shards: readonly Shard[] }> {
    const { tenant, version } = source
    const definition = await this.#options.catalog.read(tx, tenant, source.workflow, version)
    const runId = id ?? this.#options.ids.next<RunId>('run')
    if (needsRequester(definition)) {
      const before = await requestersOf(tx, tenant, source.id)
      await insertRequesters(tx, { tenant, runId }, [...before, ...(requestedBy === undefined ? [] : [requestedBy])])
    }
    const attempt = inherited.origin.kind === 'retry' ? String(Number(source.labels.attempt ?? 1) + 1) : null
    const from = attempt === null ? source : { ...source, labels: { ...source.labels, attempt } }
    return this.#options.starter.begin(
      tx,
      { tenant, id: runId, definition, version, from, inherited, repeats: source.id },
      now,
    )
  }

  /** Ends a run: work under way when its runner has stopped it, all else at once; `finally` steps still run. */
  cancel(tenant: TenantId, id: string, reason: string): Promise<RunRow> {
    return this.#steer(tenant, id, (tx, run, now) =>
      this.#options.steering.cancel(tx, run, { code: 'cancelled', message: reason }, now),
    )
  }

  /** Ends one task of a run, named by its id or as `step`, `step[3]`. Errors: `task-not-found`, `illegal-transition`. */
  cancelTask(tenant: TenantId, id: string, name: string, reason: string): Promise<RunRow> {
    return this.#steer(tenant, id, async (tx, run, now) => {
      const task = await findTask(tx, { tenant, runId: run.id }, name)
      return this.#options.steering.cancelTask(tx, tenant, task, reason, now)
    })
  }

  /** Starts nothing more of a run, nor of the runs it waits for, until it is resumed. Work under way goes on. */
  pause(tenant: TenantId, id: string): Promise<RunRow> {
    return this.#steer(tenant, id, (tx, run, now) => this.#options.steering.pause(tx, run, now))
  }

  resume(tenant: TenantId, id: string): Promise<RunRow> {
    return this.#steer(tenant, id, (tx, run, now) => this.#options.steering.resume(tx, run, now))
  }

  async #steer(
    tenant: TenantId,
    id: string,
    act: (tx: Tx, run: RunRow, now: Date) => Promise<readonly Shard[]>,
  ): Promise<RunRow> {
    return this.#write(tenant, async (tx, now) => {
      const [run] = await this.#options.steering.lock(tx, [{ tenant, runId: id as RunId }])
      if (run === undefined) throw runErrors['run-not-found'](`there is no run ${id}`)
      const shards = await act(tx, run, now)
      return { run: (await findRun(tx, tenant, run.id))!, shards }
    })
  }

  /** One transaction of the tenant in which what becomes ready is dispatched at once. That does not change the run itself. */
  async #write(
    tenant: TenantId,
    fn: (tx: Tx, now: Date) => Promise<{ run: RunRow; shards: readonly Shard[] }>,
  ): Promise<RunRow> {
    const { database, dispatchLast } = this.#options
    return database.forTenant(tenant).write(async (tx) => {
      const now = database.clock.now()
      const { run, shards } = await fn(tx, now)
      await dispatchLast(tx, shards, now)
      return run
    })
  }

  /** Runs `fn` as above, for the parts that start or move runs on (approvals, checkpoints). */
  readonly write = this.#write.bind(this)

  /** Refuses the name of a step that the workflow does not have. */
  requireStep(definition: WorkflowDefinition, step: string | null): void {
    if (step === null || Object.hasOwn(definition.steps, step) || Object.hasOwn(definition.finally, step)) return
    const known = [...Object.keys(definition.steps), ...Object.keys(definition.finally)].join(', ')
    throw runErrors['step-unknown'](`workflow ${definition.name} has no step ${step}; it has ${known}`)
  }
}
