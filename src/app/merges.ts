import type { JsonObject, JsonValue } from '../foundation/kernel/json.ts'
import type { Database } from '../foundation/platform/database/database.ts'
import { failSamplesOfStep } from '../orchestration/approvals/experience-store.ts'
import { applyExperience } from '../orchestration/approvals/gate-experience.ts'
import { readTaskSpecs } from '../orchestration/coordinator/sql/read-task-specs.ts'
import type { CheckReport } from '../orchestration/gates/gate-verdict-contract.ts'
import { type MergeExperience, MergesService, type ReadMergesInLine } from '../orchestration/merges/merges-service.ts'
import { tasksInLine } from '../orchestration/runs/tasks-in-line.ts'
import type { ResolvedMerge } from '../orchestration/workflows/task-contract.ts'

/** Merges weigh how sure people are of work as gates do: by what became of such work before. */
const experience: MergeExperience = {
  async weigh(tx, { tenant, taskId, runId, step }, reports, now) {
    const output = { checks: reports as unknown as JsonValue }
    const weighed = (await applyExperience(tx, [{ tenant, taskId, runId, step, output }], now)).get(taskId)
    return (weighed as JsonObject).checks as unknown as CheckReport[]
  },
  failed: (tx, merge, now) => failSamplesOfStep(tx, merge, now),
}

const mergesInLine: ReadMergesInLine = async (tx, tenant, taskIds, key) => {
  const inLine = await tasksInLine(tx, tenant, taskIds, key)
  const refs = inLine.map((taskId) => ({ tenant, taskId }))
  return (await readTaskSpecs(tx, refs)) as ReadonlyMap<string, ResolvedMerge>
}

export function openMerges(database: Database): MergesService {
  return new MergesService(database, experience, mergesInLine)
}
