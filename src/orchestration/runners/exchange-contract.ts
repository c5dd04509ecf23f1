import type { AgentId, RunId, RunnerId, TaskId, TenantId } from '../../foundation/kernel/ids.ts'
import type { JsonObject, JsonValue } from '../../foundation/kernel/json.ts'
import type { ResolvedTask } from '../workflows/workflow-contract.ts'

/** A lease handed to a runner: it may work on the task, and report with this fence, until the lease ends. */
export interface Assignment {
  readonly tenant: TenantId
  readonly runId: RunId
  readonly taskId: TaskId
  readonly step: string
  /** Index inside a `map` step, else null. */
  readonly item: number | null
  /** 1 for the first attempt. */
  readonly attempt: number
  /** Grows with every lease of the task; a report that carries an older one is refused. */
  readonly fence: number
  readonly agentId: AgentId
  readonly spec: ResolvedTask
  /** Where the work belongs; null for runs without a repository. */
  readonly repo: { readonly path: string; readonly commit: string | null } | null
}

/** What an attempt says it has spent of what is paid for. It is told afterwards: limits stop only what would start next. */
export type AttemptSpending = {
  /** Whole micro-dollars. Left out: computed from tokens and model, where the model's price is known. */
  readonly microUsd?: number
  readonly inputTokens?: number
  readonly outputTokens?: number
  readonly cacheReadTokens?: number
  readonly cacheWriteTokens?: number
  readonly model?: string
  /** Calls of the provider, for subscriptions that count them. Left out: one. */
  readonly requests?: number
  /** How much of the window of its subscription is used up, percent, and when it ends (ISO 8601), as the provider tells it. */
  readonly subscriptionPercent?: number
  readonly subscriptionResetsAt?: string
  /** All of it passed our gateway, which has charged it already: told for people, and counted nowhere again. */
  readonly metered?: true
}

/** What a process tree used; null where the platform cannot tell. */
export interface ResourceUsage {
  readonly cpuSeconds: number | null
  readonly maxRssBytes: number | null
  readonly wallSeconds: number
  /** What it left in its folders; absent where nobody has looked. */
  readonly diskBytes?: number
  /** What it received and sent; absent where it had no network of its own, by which alone it can be told. */
  readonly networkBytes?: number
  /** Told by agents that know it. */
  readonly spending?: AttemptSpending
}

export type AttemptOutcome = 'succeeded' | 'failed' | 'cancelled' | 'timed-out'

/** Why an attempt did not succeed, in the words of the error registry; it decides about a retry. */
export interface AttemptError {
  /** For example `command-not-found`, `exit-code`, `signal`, `timeout`, `output-invalid`, `workspace`. */
  readonly code: string
  readonly message: string
  readonly exitCode?: number
  readonly signal?: string
  readonly retry: 'never' | 'later'
}

/** The end of one attempt. Delivered until acknowledged; applied once, by its fence. */
export interface AttemptReport {
  readonly tenant: TenantId
  readonly taskId: TaskId
  readonly fence: number
  readonly outcome: AttemptOutcome
  /** Database time at which the work itself began and ended. */
  readonly startedAt: string
  readonly endedAt: string
  readonly output: JsonValue
  readonly error: AttemptError | null
  readonly usage: ResourceUsage
  readonly artifacts: readonly ArtifactRef[]
  /** Commit the workspace was left at, where the step has one. */
  readonly workspaceCommit: string | null
}

export interface ArtifactRef {
  readonly name: string
  readonly mediaType: string
  readonly bytes: number
  readonly sha256: string
  readonly blob: string
}

/** A sign of life with substance: output grew, a message arrived, CPU was used. Extends the lease. */
export interface ProgressReport {
  readonly tenant: TenantId
  readonly taskId: TaskId
  readonly fence: number
  readonly at: string
  readonly note?: string
}

export interface ExchangeRequest {
  readonly runnerId: RunnerId
  readonly reports: readonly AttemptReport[]
  readonly progress: readonly ProgressReport[]
  /** Leases the runner is working on or has yet to report: they are not handed out again. */
  readonly holding: readonly { readonly taskId: TaskId; readonly fence: number }[]
  /** False while the runner drains: it reports, but takes nothing new. */
  readonly accept: boolean
  /** Shares of its machine in use, 0 to 1, where it measures them. */
  readonly load?: { readonly cpu?: number; readonly memory?: number; readonly disk?: number; readonly network?: number }
}

export interface ExchangeReply {
  readonly assignments: readonly Assignment[]
  /** Attempts to end: the process tree is stopped, then reported as cancelled. */
  readonly cancels: readonly { readonly taskId: TaskId; readonly fence: number; readonly reason: string }[]
  /** Leases that are no longer the runner's: stop the work, report nothing. */
  readonly revoked: readonly { readonly taskId: TaskId; readonly fence: number }[]
}

/** What a runner needs of the coordinator: in-process, or over HTTP. */
export interface ExchangePort {
  exchange(request: ExchangeRequest, signal: AbortSignal): Promise<ExchangeReply>
  /** Calls `wake` when there may be something to fetch. A hint: the runner also polls. Returns the unsubscribe. */
  onHint(runnerId: RunnerId, wake: () => void): () => void
}

/** A runner announces itself and the agents it hosts before its first exchange. */
export interface RunnerRegistration {
  readonly runnerId: RunnerId
  readonly host: string
  readonly pid: number
  readonly agents: readonly AgentRegistration[]
}

export interface AgentRegistration {
  readonly tenant: TenantId
  readonly agentId: AgentId
  readonly pool: string
  readonly kind: string
  readonly capabilities: readonly string[]
  readonly labels: JsonObject
  readonly slots: number
  readonly weight: number
}
