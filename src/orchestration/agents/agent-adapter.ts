import type { JsonValue } from '../../foundation/kernel/json.ts'
import type { SecretMasker } from '../../foundation/platform/secrets/index.ts'
import type {
  ArtifactRef,
  Assignment,
  AttemptError,
  AttemptOutcome,
  ResourceUsage,
} from '../runners/exchange-contract.ts'
import type { WorkspaceTree } from '../workspaces/workspace.ts'

/**
 * How far a budget binds work of this kind. `metered`: every model call passes our gateway, and nothing else can be reached.
 * `capped`: it takes wall and CPU time, which the host bounds, and nothing else. `reported`: the agent tells afterwards, so
 * a hard limit only stops new starts; what runs here has its time bounded all the same. What an adapter says holds for what
 * it runs; a pool says what is true of it with its bounds on this host.
 */
export type EnforcementClass = 'metered' | 'capped' | 'reported'

export interface AttemptContext {
  /** Aborted on cancel (`reason` is the text), on timeout, on loss of the lease. */
  readonly signal: AbortSignal
  /** Why it was aborted. `revoked`, `stopped`: the task is, or will be, another attempt's. Absent or null: it was not, or nobody knows. */
  readonly ending?: 'cancelled' | 'timeout' | 'revoked' | 'stopped' | null
  /** Working folder: the task's worktree, or a scratch folder of its own. */
  readonly workdir: string
  /** Folder for files the task wants kept as artifacts. */
  readonly outdir: string
  /** Folder for files of the adapter itself (scripts, prompts); it goes with the attempt. */
  readonly tempdir: string
  /** The git side of the working folder: where it keeps its HEAD, and the commit it started from. Null for a scratch folder. */
  readonly tree: WorkspaceTree | null
  /** Complete environment of the work, values of secrets included; nothing else is inherited. */
  readonly env: Readonly<Record<string, string>>
  /** `config` and `secretConfig` of an agent step, filled in. */
  readonly config: Readonly<Record<string, string>>
  /** Knows the secrets in `env` and `config`. Logs, output and errors are masked by the runner; kept files are the adapter's to mask. */
  readonly masker: SecretMasker
  /** A sign of substance; call it as often as you like. */
  progress(note?: string): void
  /** The chunk is copied. A promise means: wait for it before the next chunk. */
  log(stream: 'stdout' | 'stderr', chunk: Uint8Array): void | Promise<void>
}

export interface AttemptEnd {
  readonly outcome: AttemptOutcome
  readonly output: JsonValue
  readonly error: AttemptError | null
  readonly usage: ResourceUsage
  readonly artifacts: readonly ArtifactRef[]
  /** Processes of the attempt that could not be ended. Absent: unknown, the runner looks before it removes the folders. */
  readonly survivors?: number
}

/** Runs attempts of one kind of agent (process, container, pod, HTTP, ACP, ...). Expected failures are an `AttemptEnd`, not an exception. */
export interface AgentAdapter {
  readonly kind: string
  readonly enforcement: EnforcementClass
  /** Asked before anything is made for an attempt: the end of what has been done already. Absent: nothing ever has. */
  known?(assignment: Assignment): Promise<AttemptEnd | null>
  run(assignment: Assignment, context: AttemptContext): Promise<AttemptEnd>
}
