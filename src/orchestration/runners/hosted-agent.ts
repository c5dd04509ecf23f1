import type { AgentAdapter } from '../agents/agent-adapter.ts'
import type { AgentRegistration, Assignment } from './exchange-contract.ts'

/** What one attempt is given beside its work, for as long as it lasts. */
export interface Granted {
  /** Wins over what agent and task say. */
  readonly env: Readonly<Record<string, string>>
  /** Values in `env` that must not be shown. */
  readonly masked: readonly string[]
  /** Takes it back. */
  end(): Promise<void>
}

export type AttemptGrant = (assignment: Assignment, signal: AbortSignal) => Promise<Granted>

/** An agent of this runner, and what is needed to run it. */
export interface HostedAgent {
  readonly registration: AgentRegistration
  readonly adapter: AgentAdapter
  /** Variables that all its work gets; nothing else of the host's environment is seen. */
  readonly env: Readonly<Record<string, string>>
  /** Values in `env` that must not be shown. Default none. */
  readonly masked?: readonly string[]
  /** Asked before each attempt. Default: nothing is given. */
  readonly grant?: AttemptGrant
  /** Most milliseconds for a prompt, whatever its step allows. Default null: no limit of the pool. */
  readonly promptTimeoutMs?: number | null
  /** False for agents that need no folder, no variables and no log, such as functions. Default true. */
  readonly folders?: boolean
}
