import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { JsonObject, JsonValue } from '../../foundation/kernel/json.ts'
import type { ReadTx, Tx } from '../../foundation/platform/database/database.ts'
import type { LoggedEvent } from '../../foundation/runtime/event-log.ts'
import { type ConfidenceFacts, riskWeights } from '../gates/checks-contract.ts'
import type { CheckReport } from '../gates/gate-verdict-contract.ts'
import { experienceOf, insertSamples, type NewSample, settleSamples } from './experience-store.ts'
import { judgeQuestion } from './question-policy.ts'

/** A gate whose checks have run. */
export interface CheckedGate {
  readonly tenant: TenantId
  readonly taskId: string
  readonly runId: string
  readonly step: string
  /** What its checks reported. */
  readonly output: JsonValue
}

/**
 * Where work of a kind went well often enough, nobody is asked how sure anybody is. Returns what the gates found, by task,
 * as it counts then; each such judgement is a sample that the end of its run decides.
 */
export async function applyExperience(
  tx: Tx,
  gates: readonly CheckedGate[],
  now: Date,
): Promise<ReadonlyMap<string, JsonValue>> {
  const outputs = new Map<string, JsonValue>()
  const samples: NewSample[] = []
  for (const gate of gates) {
    const { tenant, taskId, runId, step, output } = gate
    const reports = reportsOf(output)
    const facts = reports.map(factsOf)
    const judged = facts.filter((one) => one !== null)
    outputs.set(taskId, output)
    if (judged.length === 0) continue
    const learned = await learnedOf(tx, tenant, judged)
    const checks = reports.map((report, index) => {
      const told = facts[index]
      if (told === null || told === undefined) return report
      const verdict = judgeQuestion(told, learned)
      samples.push({ tenant, id: `${taskId}/${report.name}`, key: verdict.key, runId, step, success: null })
      if (verdict.asks || report.passed) return report
      return { ...report, passed: true, level: 'ok', summary: verdict.reason }
    })
    outputs.set(taskId, { ...(output as JsonObject), checks: checks as unknown as JsonValue })
  }
  await insertSamples(tx, samples, now)
  return outputs
}

/** Reads the log: runs that have ended decide what became of the work in them. */
export async function settleExperience(tx: Tx, events: readonly LoggedEvent[], now: Date): Promise<void> {
  const ended = events.flatMap(({ tenant, type, subject }) => {
    const success = runEnds[type]
    return success === undefined ? [] : [{ tenant, runId: subject.id, success }]
  })
  await settleSamples(tx, ended, now)
}

const runEnds: Readonly<Record<string, boolean | null>> = {
  'run.succeeded': true,
  'run.failed': false,
  'run.cancelled': null,
}

function learnedOf(tx: ReadTx, tenant: TenantId, facts: readonly ConfidenceFacts[]) {
  const keys = facts.map((one) => judgeQuestion(one, new Map()).key)
  return experienceOf(tx, tenant, keys)
}

function reportsOf(output: JsonValue): readonly CheckReport[] {
  const checks = (output as JsonObject | null)?.checks
  return Array.isArray(checks) ? (checks as unknown as CheckReport[]) : []
}

/** What a confidence check told; null for other checks. Runners wrote it. */
function factsOf({ facts }: CheckReport): ConfidenceFacts | null {
  const { type, risks, agent, reviewer } = (facts ?? {}) as Partial<ConfidenceFacts>
  if (typeof type !== 'string' || !Array.isArray(risks)) return null
  const share = (value: unknown) => (typeof value === 'number' && value >= 0 && value <= 1 ? value : null)
  const known = risks.filter((risk) => Object.hasOwn(riskWeights, String(risk)))
  return { type: type.slice(0, 200), risks: known, agent: share(agent), reviewer: share(reviewer) }
}
