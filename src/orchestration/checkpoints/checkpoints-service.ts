import type { IdSource, RunId, TenantId } from '../../foundation/kernel/ids.ts'
import type { JsonObject } from '../../foundation/kernel/json.ts'
import type { Database, Tx } from '../../foundation/platform/database/database.ts'
import { appendEvents } from '../../foundation/runtime/event-log.ts'
import { setTimers, type TimerHandler } from '../../foundation/runtime/timers.ts'
import type { KeptStep } from '../runs/inherit-steps.ts'
import type { RunRef, RunRow } from '../runs/run-rows.ts'
import type { RunsService } from '../runs/runs-service.ts'
import type { WorkflowDefinition } from '../workflows/workflow-contract.ts'
import type { CheckpointDocument } from './checkpoint-document.ts'
import { checkpointErrors } from './checkpoints-errors.ts'
import { type CheckpointRow, findCheckpoint, insertCheckpoint, pruneAutomatic } from './checkpoints-store.ts'

/** What checkpoints need of runs; the context provides it. */
export interface RunSnapshots {
  /** The run, locked, and its steps with their outputs; null where there is no such run. */
  snapshot(tx: Tx, ref: RunRef): Promise<{ readonly run: RunRow; readonly document: CheckpointDocument } | null>
  /** The newest run that has not ended. */
  newestOpen(tx: Tx, tenant: TenantId): Promise<RunId | null>
  definitionOf(tx: Tx, run: Pick<RunRow, 'tenant' | 'workflow' | 'version'>): Promise<WorkflowDefinition>
  /** What a new run takes over of the steps; those in `again`, and what needs them, are left out. */
  stepsToKeep(
    document: CheckpointDocument,
    definition: WorkflowDefinition,
    again: ReadonlySet<string>,
  ): ReadonlyMap<string, KeptStep>
}

export interface CheckpointsServiceOptions {
  readonly database: Database
  readonly ids: IdSource
  readonly runs: () => RunsService
  readonly snapshots: RunSnapshots
}

/** Automatic checkpoints kept per run. */
const keepAutomatic = 20

/** Named, consistent snapshots of runs: the run's row is locked while its steps and outputs are read. */
export class CheckpointsService {
  readonly #options: CheckpointsServiceOptions

  constructor(options: CheckpointsServiceOptions) {
    this.#options = options
  }

  async make(
    tenant: TenantId,
    what: { readonly name?: string | undefined; readonly runId?: string | undefined },
  ): Promise<CheckpointRow> {
    const { database, snapshots } = this.#options
    return database.forTenant(tenant).write(async (tx) => {
      const runId = (what.runId as RunId | undefined) ?? (await snapshots.newestOpen(tx, tenant))
      if (runId === null) throw checkpointErrors['checkpoint-no-run']('no run is under way')
      const now = database.clock.now()
      const usual = `checkpoint-${now.toISOString().replace(/[-:]/g, '').replace('T', '-').slice(0, 15)}`
      const name = what.name === undefined ? namesLike(usual) : [what.name]
      const row = await this.#keep(tx, { tenant, runId }, name, 'manual', now)
      if (row === null) throw checkpointErrors['checkpoint-no-run'](`there is no run ${runId}`)
      return row
    })
  }

  /** Starts a new run from a checkpoint; `again` names steps to do again, with all that depends on them. */
  async restore(
    tenant: TenantId,
    idOrName: string,
    kind: 'restore' | 'fork',
    from: string | null,
    requestedBy?: string,
  ): Promise<RunRow> {
    const { runs, snapshots } = this.#options
    return runs().write(tenant, async (tx, now) => {
      const row = await findCheckpoint(tx, tenant, idOrName)
      if (row === null) throw checkpointErrors['checkpoint-not-found'](`there is no checkpoint ${idOrName}`)
      const source = sourceRun(tenant, row.document, now)
      const definition = await snapshots.definitionOf(tx, source)
      runs().requireStep(definition, from)
      const again = new Set([...Object.keys(definition.finally), ...(from === null ? [] : [from])])
      const steps = snapshots.stepsToKeep(row.document, definition, again)
      return runs().startFrom(tx, source, { origin: { kind, id: row.id }, steps }, now, undefined, requestedBy)
    })
  }

  /** Made by the engine in its own transaction, right before the steps start. */
  async beforeRisky(tx: Tx, ref: RunRef, steps: readonly string[], now: Date): Promise<void> {
    const name = `${ref.runId}-before-${steps.join('-').slice(0, 80)}-${now.getTime().toString(36)}`
    await this.#keep(tx, ref, namesLike(name), 'risky', now)
  }

  /** Makes the checkpoint a running workflow asks for every so often, and sets the next timer. */
  readonly due: TimerHandler = async (tx, timers, now) => {
    for (const timer of timers) {
      const ref = { tenant: timer.tenant, runId: timer.subjectId as RunId }
      const snapshot = await this.#options.snapshots.snapshot(tx, ref)
      if (snapshot === null || snapshot.run.endedAt !== null) continue
      const every = Number(timer.data?.everyMs)
      await this.#keep(tx, ref, namesLike(`${ref.runId}-${now.getTime().toString(36)}`), 'timer', now)
      await setTimers(tx, [{ ...timer, dueAt: new Date(now.getTime() + every) }])
    }
  }

  /** Under the first of the names that is free. Null: there is no such run. */
  async #keep(
    tx: Tx,
    ref: RunRef,
    names: Iterable<string>,
    reason: CheckpointRow['reason'],
    now: Date,
  ): Promise<CheckpointRow | null> {
    const snapshot = await this.#options.snapshots.snapshot(tx, ref)
    if (snapshot === null) return null
    const id = this.#options.ids.next<string>('cp')
    const base = { id, tenant_id: ref.tenant, run_id: ref.runId, reason, document: snapshot.document, created_at: now }
    const row = await insertUnderOne(tx, base, names)
    if (reason !== 'manual') await pruneAutomatic(tx, ref.tenant, ref.runId, keepAutomatic)
    const data: JsonObject = { name: row.name, reason }
    await appendEvents(tx, [
      {
        tenant: ref.tenant,
        type: 'checkpoint.created',
        subject: { kind: 'checkpoint', id, rev: 1 },
        runId: ref.runId,
        at: now,
        data,
      },
    ])
    return row
  }
}

/** The name, and what to call it where that is taken. */
function* namesLike(name: string): Iterable<string> {
  yield name
  for (let n = 2; ; n++) yield `${name}-${n}`
}

async function insertUnderOne(
  tx: Tx,
  base: Omit<CheckpointRow, 'name'>,
  names: Iterable<string>,
): Promise<CheckpointRow> {
  let taken = ''
  for (const name of names) {
    const row = { ...base, name }
    if (await insertCheckpoint(tx, row)) return row
    taken = name
  }
  throw checkpointErrors['checkpoint-name-taken'](`there is already a checkpoint ${taken}`)
}

function sourceRun(tenant: TenantId, document: CheckpointDocument, now: Date): RunRow {
  const { run } = document
  return {
    tenant,
    id: run.id as RunId,
    workflow: run.workflow,
    version: run.version,
    state: 'pending',
    rev: 1,
    inputs: run.inputs,
    outputs: null,
    error: null,
    repo: run.repo,
    priority: run.priority,
    parallel: run.parallel,
    concurrencyKey: null,
    labels: run.labels,
    origin: null,
    parentTask: null,
    cancelRequested: false,
    outcome: null,
    createdAt: now,
    startedAt: null,
    endedAt: null,
  }
}
