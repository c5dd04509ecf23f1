import type { JsonValue } from '../../foundation/kernel/json.ts'
import type { ArtifactRef, Assignment, AttemptError, AttemptOutcome, ResourceUsage } from '../runners/exchange-contract.ts'

/**
 * How far a budget binds work of this kind. `metered`: every model call passes our gateway. `capped`: wall and CPU time
 * are bounded by the host. `reported`: the agent tells afterwards, so a hard limit only stops new starts.
 */
export type EnforcementClass = 'metered' | 'capped' | 'reported'

export interface AttemptContext {
  /** Aborted on cancel (`reason` is the text), on timeout, on loss of the lease. */
  readonly signal: AbortSignal
  /** Working folder: the task's worktree, or a scratch folder of its own. */
  readonly workdir: string
  /** Folder for files the task wants kept as artifacts. */
  readonly outdir: string
  /** Complete environment of the work; nothing else is inherited. */
  readonly env: Readonly<Record<string, string>>
  /** A sign of substance; call it as often as you like. */
  progress(note?: string): void
  log(stream: 'stdout' | 'stderr', chunk: Uint8Array): void
}

export interface AttemptEnd {
  readonly outcome: AttemptOutcome
  readonly output: JsonValue
  readonly error: AttemptError | null
  readonly usage: ResourceUsage
  readonly artifacts: readonly ArtifactRef[]
}

/** Runs attempts of one kind of agent (process, container, pod, HTTP, ACP, ...). Expected failures are an `AttemptEnd`, not an exception. */
export interface AgentAdapter {
  readonly kind: string
  readonly enforcement: EnforcementClass
  run(assignment: Assignment, context: AttemptContext): Promise<AttemptEnd>
}
