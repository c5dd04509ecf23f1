import type { RunId, TenantId } from '../../foundation/kernel/ids.ts'
import type { ReadTx, Tx } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'
import type { CheckpointDocument } from '../checkpoints/checkpoint-document.ts'
import { readStepOutputs } from './run-context.ts'
import { keyOf, type RunRef, type RunRow } from './run-rows.ts'
import { lockRuns, readSteps } from './runs-store.ts'
import { taskRange } from './task-ids-contract.ts'

/** The artifacts of a run; the `artifacts` part provides them. */
export type ArtifactsOfRun = (tx: ReadTx, tenant: TenantId, runId: string) => Promise<CheckpointDocument['artifacts']>

/** Reads a run as one consistent whole: no step of it can change while its row is locked. */
export async function snapshotRun(
  tx: Tx,
  ref: RunRef,
  artifactsOfRun: ArtifactsOfRun,
): Promise<{ run: RunRow; document: CheckpointDocument } | null> {
  const [run] = await lockRuns(tx, [ref])
  if (run === undefined) return null
  const steps = (await readSteps(tx, [ref])).get(keyOf(ref)) ?? []
  const outputs = await readStepOutputs(
    tx,
    ref,
    steps.filter((step) => step.state !== 'pending').map((step) => step.step),
  )
  const range = taskRange(ref.runId)
  const commits = await tx.query<{ step: string; workspace_commit: string }>(sql`
    select distinct on (step) step, workspace_commit from tasks
    where tenant_id = ${ref.tenant} and id >= ${range.from} and id < ${range.to} and workspace_commit is not null order by step, ended_at desc`)
  const commitOf = new Map(commits.map((row) => [row.step, row.workspace_commit]))
  const artifacts = await artifactsOfRun(tx, ref.tenant, ref.runId)
  return {
    run,
    document: {
      format: 1,
      run: {
        id: run.id,
        workflow: run.workflow,
        version: run.version,
        state: run.state,
        inputs: run.inputs,
        repo: run.repo,
        priority: run.priority,
        parallel: run.parallel,
        labels: run.labels,
      },
      steps: steps.map((step) => ({
        step: step.step,
        state: step.state,
        byCondition: step.byCondition,
        outputs: outputs.get(step.step) ?? {},
        workspaceCommit: commitOf.get(step.step) ?? null,
      })),
      artifacts: artifacts.map(({ id, step, name, bytes, sha256, blob }) => ({ id, step, name, bytes, sha256, blob })),
    },
  }
}

export async function newestOpenRun(tx: Tx, tenant: TenantId): Promise<RunId | null> {
  const rows = await tx.query<{ id: RunId }>(sql`
    select id from runs where tenant_id = ${tenant} and ended_at is null order by created_at desc, id desc limit 1`)
  return rows[0]?.id ?? null
}
