import type { JsonObject, JsonValue } from '../foundation/kernel/json.ts'
import type { Database } from '../foundation/platform/database/database.ts'
import { failSamplesOfStep } from '../orchestration/approvals/experience-store.ts'
import { applyExperience } from '../orchestration/approvals/gate-experience.ts'
import type { CheckReport } from '../orchestration/gates/gate-verdict-contract.ts'
import { type MergeExperience, MergesService } from '../orchestration/merges/merges-service.ts'

/** Merges weigh how sure people are of work as gates do: by what became of such work before. */
const experience: MergeExperience = {
  async weigh(tx, { tenant, taskId, runId, step }, reports, now) {
    const output = { checks: reports as unknown as JsonValue }
    const weighed = (await applyExperience(tx, [{ tenant, taskId, runId, step, output }], now)).get(taskId)
    return (weighed as JsonObject).checks as unknown as CheckReport[]
  },
  failed: (tx, merge, now) => failSamplesOfStep(tx, merge, now),
}

export function openMerges(database: Database): MergesService {
  return new MergesService(database, experience)
}
