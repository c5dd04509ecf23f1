import { isAppError } from '../../foundation/kernel/errors.ts'
import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { JsonObject, JsonValue } from '../../foundation/kernel/json.ts'
import type { BlobStore } from '../../foundation/platform/blobs/blob-store.ts'
import type { Database, ReadTx } from '../../foundation/platform/database/database.ts'
import type { ApprovalView } from '../approvals/approvals-contract.ts'
import type { ArtifactRow } from '../artifacts/artifacts-store.ts'
import type { CheckReport, CheckResult, GateVerdict } from '../gates/gate-verdict-contract.ts'
import type { MergeView } from '../merges/merges-contract.ts'
import type { QuestionView } from '../questions/questions-contract.ts'
import type { RunRow } from '../runs/run-rows.ts'
import type { FormerAttempt, TaskRecord } from '../runs/task-records.ts'
import type { ToolCallView } from '../tool-calls/tool-calls-contract.ts'
import type { StepGraph } from '../workflows/graph.ts'
import type { ResolvedTask, WorkflowDefinition } from '../workflows/workflow-contract.ts'
import type { KeptText, ProofRecord } from './proof-record.ts'

/** What the parts know of a run and its tasks; the context provides it. */
export interface ProofSources {
  run(tx: ReadTx, tenant: TenantId, runId: string): Promise<RunRow | null>
  requestersOf(tx: ReadTx, tenant: TenantId, runId: string): Promise<readonly string[]>
  definitionOf(tx: ReadTx, run: RunRow): Promise<WorkflowDefinition>
  graphOf(definition: WorkflowDefinition): StepGraph
  tasksOf(
    tx: ReadTx,
    tenant: TenantId,
    of: { readonly runId: string } | { readonly taskId: string },
  ): Promise<readonly TaskRecord[]>
  formerAttempts(tx: ReadTx, tenant: TenantId, taskId: string): Promise<readonly FormerAttempt[]>
  specOf(tx: ReadTx, tenant: TenantId, taskId: string): Promise<ResolvedTask | null>
  stepOutputs(tx: ReadTx, run: RunRow, steps: readonly string[]): Promise<ReadonlyMap<string, JsonObject>>
  log(
    tx: ReadTx,
    tenant: TenantId,
    attempt: { readonly taskId: string; readonly fence: number },
    mostBytes: number,
  ): Promise<KeptText>
  artifactsOf(tx: ReadTx, tenant: TenantId, runId: string): Promise<readonly ArtifactRow[]>
  approvalsOf(tx: ReadTx, tenant: TenantId, runId: string): Promise<readonly ApprovalView[]>
  questionsOf(tx: ReadTx, tenant: TenantId, runId: string): Promise<readonly QuestionView[]>
  toolCallsOf(tx: ReadTx, tenant: TenantId, taskId: string, limit: number): Promise<readonly ToolCallView[]>
  mergesOf(tx: ReadTx, tenant: TenantId, runId: string): Promise<readonly MergeView[]>
  spentBy(tx: ReadTx, tenant: TenantId, taskId: string): Promise<ProofRecord['spent']>
  modelsOf(tx: ReadTx, tenant: TenantId, runId: string, taskId: string): Promise<ProofRecord['models']>
}

/** Bytes of output of an attempt, and characters of evidence of a check, that stand in a bundle. */
const mostLog = 262_144
const mostEvidence = 65_536
const mostDiff = 16 * 1_048_576
const mostToolCalls = 2_000
export const diffName = 'proof/diff.patch'
export const proofNames = ['proof/bundle.json', 'proof/bundle.md'] as const

/** Reads what is on record of a task, in one transaction, and then the contents that are kept elsewhere. */
export async function readRecord(
  database: Database,
  blobs: BlobStore,
  sources: ProofSources,
  of: { readonly tenant: TenantId; readonly runId: string; readonly taskId: string },
): Promise<ProofRecord | null> {
  const { tenant, runId, taskId } = of
  const found = await database.forTenant(tenant).read(async (tx) => {
    const run = await sources.run(tx, tenant, runId)
    const [task] = await sources.tasksOf(tx, tenant, { taskId })
    const spec = await sources.specOf(tx, tenant, taskId)
    if (run === null || task === undefined || spec === null) return null
    const definition = await sources.definitionOf(tx, run)
    const isNear = nearnessOf(sources.graphOf(definition), task.step)
    const steps = Object.entries({ ...definition.steps, ...definition.finally })
      .filter(([id, { kind }]) => isNear(id) && (kind === 'gate' || kind === 'merge'))
      .map(([id]) => id)
    const outputs = await sources.stepOutputs(tx, run, steps)
    const gates = steps.flatMap((step) => gateOf(step, outputs.get(step)))
    const artifacts = await sources.artifactsOf(tx, tenant, runId)
    return {
      gates,
      all: artifacts,
      record: {
        run,
        requestedBy: await sources.requestersOf(tx, tenant, runId),
        task,
        spec,
        former: await sources.formerAttempts(tx, tenant, taskId),
        log: await sources.log(tx, tenant, { taskId, fence: task.fence }, mostLog),
        gates,
        merges: (await sources.mergesOf(tx, tenant, runId)).filter(({ step, id }) => isNear(step) || id === taskId),
        approvals: (await sources.approvalsOf(tx, tenant, runId)).filter(({ step }) => isNear(step)),
        questions: (await sources.questionsOf(tx, tenant, runId)).filter((question) => question.taskId === taskId),
        toolCalls: await sources.toolCallsOf(tx, tenant, taskId, mostToolCalls),
        spent: await sources.spentBy(tx, tenant, taskId),
        models: await sources.modelsOf(tx, tenant, runId, taskId),
        artifacts: artifacts.filter((each) => each.taskId === taskId && !proofNames.some((name) => name === each.name)),
      },
    }
  })
  if (found === null) return null
  const { record, gates, all } = found
  const evidence = new Map<string, { artifact: ArtifactRow; text: string; cut: boolean }>()
  for (const name of gates.flatMap(({ verdict }) => verdict.checks.flatMap((check) => check.evidence ?? []))) {
    const artifact = newest(all.filter((each) => each.name === name))
    if (artifact === undefined) continue
    const text = await textOf(blobs, tenant, artifact, mostEvidence)
    if (text !== null) evidence.set(name, { artifact, ...text })
  }
  const kept = newest(record.artifacts.filter(({ name }) => name === diffName))
  const text = kept === undefined ? null : await textOf(blobs, tenant, kept, mostDiff)
  return { ...record, evidence, diff: kept === undefined || text === null ? null : { artifact: kept, text: text.text } }
}

/** The step itself, what it builds on, and what builds on it. */
function nearnessOf(graph: StepGraph, step: string): (id: string) => boolean {
  return (id) => id === step || graph.reaches(id, step) || graph.reaches(step, id)
}

function gateOf(step: string, outputs: JsonObject | undefined): readonly { step: string; verdict: GateVerdict }[] {
  const checks = outputs?.checks
  if (!Array.isArray(checks) || checks.length === 0) return []
  const results = (checks as readonly JsonValue[] as unknown as readonly (CheckResult & CheckReport)[]).map(
    ({ name, passed, onFail, level, summary, evidence }): CheckResult => ({
      ...{ name: String(name), passed: passed === true, onFail: onFail ?? (level === 'review' ? 'review' : 'block') },
      ...(typeof summary === 'string' ? { summary } : {}),
      ...(typeof evidence === 'string' ? { evidence } : {}),
    }),
  )
  const told = outputs?.verdict
  const failed = results.some(({ passed }) => !passed)
  const verdict = told === 'pass' || told === 'review' || told === 'block' ? told : failed ? 'block' : 'pass'
  return [{ step, verdict: { verdict, checks: results } }]
}

/** Of artifacts that several attempts have kept under one name: their ids hold the lease, and then the place. */
function newest(artifacts: readonly ArtifactRow[]): ArtifactRow | undefined {
  const place = ({ id }: ArtifactRow) => id.split('_').slice(1).map(Number)
  return artifacts.toSorted((a, b) => {
    const [[lease = 0, nth = 0], [otherLease = 0, otherNth = 0]] = [place(a), place(b)]
    return otherLease - lease || otherNth - nth
  })[0]
}

/** Null where the content is gone, or is another tenant's. */
async function textOf(
  blobs: BlobStore,
  tenant: TenantId,
  artifact: ArtifactRow,
  most: number,
): Promise<KeptText | null> {
  if (!artifact.blob.startsWith(`${tenant}/`)) return null
  try {
    const { body } = await blobs.get(artifact.blob)
    const parts: Uint8Array[] = []
    let size = 0
    for await (const part of body) {
      parts.push(part.subarray(0, Math.max(0, most - size)))
      size += part.length
    }
    return { text: Buffer.concat(parts).toString('utf8'), cut: size > most }
  } catch (error) {
    if (isAppError(error) && error.code === 'blob-not-found') return null
    throw error
  }
}
