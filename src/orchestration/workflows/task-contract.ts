import type { JsonObject, JsonValue } from '../../foundation/kernel/json.ts'
import type { ModelTier } from '../../foundation/kernel/model-tier.ts'
import type { ApprovalRules, EscalationLevel } from '../approvals/approval-rules-contract.ts'
import type { BuiltInCheck, ConfidenceFacts, OnFail } from '../gates/checks-contract.ts'
import type { ResolvedPlacement } from './placement-contract.ts'
import type { Depth, MergeMethod, OutputSource } from './workflow-contract.ts'

/** The names of a step that later expressions can read: `steps.<id>.state`, `.outputs`, `.error`. */
export interface StepView {
  readonly state: string
  readonly outputs: JsonObject
  readonly error?: { readonly code: string; readonly message: string } | null
}

/** What expressions see of the run. */
export interface RunView {
  readonly id: string
  /** The title of the run. */
  readonly name: string
  /** The name of the workflow. */
  readonly workflow: string
  /** 1, and one more for each time the run is begun again. */
  readonly attempt: number
  /** `running`, or how it ended (in `finally`, `outputs` and `onEnd`). */
  readonly state: string
  /** ISO 8601. */
  readonly startedAt: string
  /** What the one who started it asked for; it goes before what steps and workflow say. Absent, null: nothing. */
  readonly depth?: Depth | null
  /** Whether any pool takes prompts. Default true. */
  readonly agents?: boolean
}

/** What expressions see of the repository; empty texts where the run has none. */
export interface RepoView {
  readonly path: string
  readonly commit: string
  readonly branch: string
}

/** What `${{ }}` can see. Everything is plain JSON that must not change afterwards; secrets are never among it. */
export interface ExpressionContext {
  readonly inputs: JsonObject
  /** At least the steps that `referencedSteps` names. */
  readonly steps: Readonly<Record<string, StepView>>
  readonly run: RunView
  readonly repo: RepoView
  /** Inside a map: the item under the name of `as`, and its index. */
  readonly item?: { readonly name: string; readonly value: JsonValue; readonly index: number }
  /** Inside `wait.match`: the event that is looked at. */
  readonly event?: JsonObject
}

export interface ResolvedRetry {
  readonly attempts: number
  readonly backoff: {
    readonly initialMs: number
    readonly factor: number
    readonly maxMs: number
    readonly jitter: number
  }
  /** Error codes and exit codes; absent: every failure that may pass. */
  readonly on?: readonly (number | string)[]
}

export interface ResolvedResources {
  readonly cpuCores: number
  readonly memoryBytes: number
  readonly diskBytes: number
  readonly networkMbps: number
  /** What it may use at most; absent: no limit. */
  readonly limits?: {
    readonly cpuCores?: number
    readonly memoryBytes?: number
    readonly diskBytes?: number
    readonly networkBytesPerSecond?: number
  }
}

/** Limits in the units of the ledger; an absent unit has no limit of its own. */
export interface ResolvedBudget {
  readonly microUsd?: number
  readonly tokens?: number
  readonly runs?: number
  readonly cpuMs?: number
  readonly wallMs?: number
}

/** What all tasks have, whatever they do. */
export interface ResolvedCommon {
  readonly stepId: string
  /** null: it waits as long as it takes (map, approval, wait and sub-run without a timeout). */
  readonly timeoutMs: number | null
  readonly priority: number
  readonly labels: Readonly<Record<string, string>>
  readonly risky: boolean
  readonly allowFailure: boolean
}

/** What tasks have that an agent does. */
export interface ResolvedWork extends ResolvedCommon {
  readonly timeoutMs: number
  readonly retry: ResolvedRetry
  readonly resources: ResolvedResources
  readonly budget: ResolvedBudget
  readonly concurrency: { readonly key: string; readonly limit: number } | null
  readonly pool: string | null
  readonly capabilities: readonly string[]
  /** What else is asked of its place; absent: nothing. */
  readonly placement?: ResolvedPlacement
  readonly workspace: 'none' | 'worktree'
  /** The commit or branch at which its worktree starts; absent: the commit of the run. */
  readonly base?: string
  /** Globs of the files that it means to change; absent: it does not say. */
  readonly paths?: readonly string[]
  /** Absent: it waits. */
  readonly onOverlap?: 'warn'
  /** Plain variables, resolved. */
  readonly env: Readonly<Record<string, string>>
  /** Variable -> name of the secret; its value is read by the runner when it starts the process, and stored nowhere. */
  readonly secretEnv: Readonly<Record<string, string>>
  readonly outputs: Readonly<Record<string, OutputSource>>
}

export interface ResolvedCommand extends ResolvedWork {
  readonly kind: 'command'
  readonly argv: readonly string[]
  readonly stdin: string | null
}

export interface ResolvedScript extends ResolvedWork {
  readonly kind: 'script'
  /** Written to a file whose path is appended to `interpreter`; it holds nothing that was computed. */
  readonly script: string
  readonly interpreter: readonly string[]
}

export interface ResolvedAgent extends ResolvedWork {
  readonly kind: 'agent'
  readonly prompt: string
  readonly depth: Depth
  /** How much model it is given; pools say which one that is. */
  readonly tier: ModelTier
  /** The persona that the prompt is to be composed with, or was. */
  readonly persona?: string
  /** Kinds of tools that the persona keeps to; absent: all that its pool allows. */
  readonly tools?: readonly string[]
  readonly config: Readonly<Record<string, string>>
  readonly secretConfig: Readonly<Record<string, string>>
  /** Who answers what it asks; absent: as its pool says. */
  readonly questions?: StepQuestions
}

/** What a step says of the questions of its agent; what is absent is as the pool says. */
export interface StepQuestions {
  readonly who?: readonly string[]
  readonly count?: number
  readonly deadlineMs?: number
  readonly atDeadline?: 'approve' | 'reject' | 'escalate'
  readonly escalate?: readonly EscalationLevel[]
}

export interface ResolvedWorkflowCall extends ResolvedCommon {
  readonly kind: 'workflow'
  readonly workflow: string
  readonly version: string | null
  readonly inputs: JsonObject
  readonly retry: ResolvedRetry
  readonly budget: ResolvedBudget
  readonly concurrency: { readonly key: string; readonly limit: number } | null
}

export interface ResolvedMap extends ResolvedCommon {
  readonly kind: 'map'
  readonly items: readonly JsonValue[]
  /** The name of the item in expressions. */
  readonly as: string
  readonly parallel: number | null
  /** How many items may fail. */
  readonly tolerate: number
}

export interface ResolvedApproval extends ResolvedCommon {
  readonly kind: 'approval'
  readonly message: string
  /** Empty: whoever holds the permission. */
  readonly who: readonly string[]
  readonly deadlineMs: number | null
  readonly default: 'approve' | 'reject'
  /** Absent: one answer is enough, from anybody who is named. */
  readonly rules?: ApprovalRules | undefined
}

export interface ResolvedBuiltInCheck {
  readonly name: string
  /** Null: as grave as what was found. */
  readonly onFail: OnFail | null
  readonly check: BuiltInCheck
  /** Null: what is found in the repository. */
  readonly command: readonly string[] | null
  readonly setup: readonly string[] | null
  readonly report: string | null
  readonly min: number | null
  readonly max: number | null
  /** Of `confidence` alone. */
  readonly confidence?: ConfidenceFacts
}

export type ResolvedCheck =
  | { readonly name: string; readonly onFail: OnFail; readonly argv: readonly string[] }
  | { readonly name: string; readonly onFail: OnFail; readonly passed: boolean; readonly summary?: string }
  | ResolvedBuiltInCheck

export interface ResolvedGate extends ResolvedWork {
  readonly kind: 'gate'
  readonly checks: readonly ResolvedCheck[]
  readonly who: readonly string[]
  readonly deadlineMs: number | null
  /** Of a review; absent: as of an approval. */
  readonly rules?: ApprovalRules | undefined
}

export interface ResolvedMerge extends ResolvedWork {
  readonly kind: 'merge'
  readonly commit: string
  /** Name of the branch, without refs/heads/. */
  readonly into: string
  readonly method: MergeMethod
  readonly checks: readonly ResolvedCheck[]
  readonly onConflict: 'fail' | 'hand-back'
  readonly message: string | null
  /** With how many others of its queue it may be tested, itself included; absent: as the installation says. */
  readonly batch?: number
}

export interface ResolvedWait extends ResolvedCommon {
  readonly kind: 'wait'
  readonly for:
    | { readonly ms: number }
    /** `match` is judged against an event and `context` by `eventMatches`. */
    | { readonly event: string; readonly match: string | null; readonly context: JsonObject }
}

/** A step with its values filled in: plain JSON, complete, ready to be stored with the task. */
export type ResolvedTask =
  | ResolvedCommand
  | ResolvedScript
  | ResolvedAgent
  | ResolvedWorkflowCall
  | ResolvedMap
  | ResolvedApproval
  | ResolvedGate
  | ResolvedMerge
  | ResolvedWait
