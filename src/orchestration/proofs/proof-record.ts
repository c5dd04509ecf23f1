import type { ApprovalView } from '../approvals/approvals-contract.ts'
import type { ArtifactRow } from '../artifacts/artifacts-store.ts'
import type { GateVerdict } from '../gates/gate-verdict-contract.ts'
import type { MergeView } from '../merges/merges-contract.ts'
import type { QuestionView } from '../questions/questions-contract.ts'
import type { RunRow } from '../runs/run-rows.ts'
import type { FormerAttempt, TaskRecord } from '../runs/task-records.ts'
import type { ToolCallView } from '../tool-calls/tool-calls-contract.ts'
import type { ResolvedTask } from '../workflows/task-contract.ts'

/** A piece of text that may be only the end of what there was. */
export interface KeptText {
  readonly text: string
  readonly cut: boolean
}

/** What is on record about a task, gathered from all who know something of it. */
export interface ProofRecord {
  readonly run: RunRow
  readonly requestedBy: readonly string[]
  readonly task: TaskRecord
  readonly spec: ResolvedTask
  readonly former: readonly FormerAttempt[]
  readonly log: KeptText
  /** The kept difference of the newest attempt. */
  readonly diff: { readonly artifact: ArtifactRow; readonly text: string } | null
  /** Gates of steps that come before or after, in the order of the definition. */
  readonly gates: readonly { readonly step: string; readonly verdict: GateVerdict }[]
  /** Evidence of their checks, by name of the artifact. */
  readonly evidence: ReadonlyMap<
    string,
    { readonly artifact: ArtifactRow; readonly text: string; readonly cut: boolean }
  >
  readonly merges: readonly MergeView[]
  readonly approvals: readonly ApprovalView[]
  readonly questions: readonly QuestionView[]
  /** Tools that its agents have used, in all attempts, in the order in which they began. */
  readonly toolCalls: readonly ToolCallView[]
  readonly spent: { readonly microUsd: number | null; readonly tokens: number | null }
  readonly models: readonly {
    readonly model: string
    readonly provider: string
    readonly calls: number
    readonly inputTokens: number
    readonly outputTokens: number
    readonly microUsd: number | null
  }[]
  readonly artifacts: readonly ArtifactRow[]
}
