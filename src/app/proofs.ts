import { modelUseOfTask } from '../external-api/models/model-use.ts'
import type { Database } from '../foundation/platform/database/database.ts'
import { readAttemptLog } from '../observability/logs/read-attempt-log.ts'
import { approvalsOfRun } from '../orchestration/approvals/approvals-view.ts'
import { artifactsOfRun } from '../orchestration/artifacts/artifacts-store.ts'
import { keepArtifacts, tasksWithDiff } from '../orchestration/artifacts/keep-artifacts.ts'
import { spentByTask } from '../orchestration/budgets/spent-by-task.ts'
import { readTaskSpecs } from '../orchestration/coordinator/sql/read-task-specs.ts'
import { readMerges } from '../orchestration/merges/merges-view.ts'
import { ProofsService } from '../orchestration/proofs/proofs-service.ts'
import { listQuestions } from '../orchestration/questions/questions-store.ts'
import { readStepOutputs } from '../orchestration/runs/run-context.ts'
import { requestersOf } from '../orchestration/runs/run-requesters.ts'
import { findRun, requireRun } from '../orchestration/runs/runs-store.ts'
import { runsUnder } from '../orchestration/runs/runs-under.ts'
import { readFormerAttempts, readTaskRecords } from '../orchestration/runs/task-records.ts'
import { toolCallsOfTask } from '../orchestration/tool-calls/tool-calls-store.ts'
import type { Orchestration } from './orchestration.ts'
import type { Storage } from './storage.ts'

const most = 1_000

/** Proofs of work, with what each part knows of a task. */
export function createProofs(database: Database, orchestration: Orchestration, storage: Storage): ProofsService {
  return new ProofsService({
    requireRun,
    runsUnder,
    database,
    blobs: storage.blobs,
    sink: storage.artifacts,
    tasksWith: tasksWithDiff,
    keepArtifacts,
    sources: {
      run: findRun,
      requestersOf,
      definitionOf: (tx, run) => orchestration.catalog.read(tx, run.tenant, run.workflow, run.version),
      graphOf: orchestration.graphOf,
      tasksOf: readTaskRecords,
      formerAttempts: readFormerAttempts,
      specOf: async (tx, tenant, taskId) => (await readTaskSpecs(tx, [{ tenant, taskId }])).get(taskId) ?? null,
      stepOutputs: (tx, run, steps) => readStepOutputs(tx, { tenant: run.tenant, runId: run.id }, [...steps]),
      log: readAttemptLog,
      artifactsOf: artifactsOfRun,
      approvalsOf: approvalsOfRun,
      questionsOf: async (tx, tenant, run) => {
        const filter = { runs: [run], before: null, limit: most, now: database.clock.now() }
        return (await listQuestions(tx, tenant, filter)).toReversed()
      },
      toolCallsOf: toolCallsOfTask,
      mergesOf: async (tx, tenant, run) =>
        (await readMerges(tx, tenant, { runs: [run], before: null, limit: most })).toReversed(),
      spentBy: spentByTask,
      modelsOf: modelUseOfTask,
    },
  })
}
