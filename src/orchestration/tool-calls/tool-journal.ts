import type { ToolKind } from '../../foundation/platform/config/agent-kinds.ts'
import type { SecretMasker } from '../../foundation/platform/secrets/index.ts'
import type { Assignment } from '../runners/exchange-contract.ts'

/** What an agent is about to use. */
export interface StartedCall {
  /** Name of the tool, as the agent or its server calls it. */
  readonly tool: string
  readonly kind: ToolKind
  /** One line for people. It is masked and cut; arguments and texts do not belong in it. */
  readonly title: string
}

export type CallEnd = 'completed' | 'failed' | 'refused'

/** Where the tool calls of one attempt are told. Nothing waits for it, and however many come, few are kept. */
export interface ToolJournal {
  /** `key` names the call until it has ended; told twice it is the same call. */
  started(key: string, call: StartedCall): void
  /** Of calls that nobody has started, nothing is told. */
  ended(key: string, end: CallEnd): void
  /** Resolves when all that was told is kept. What is still under way is told to be abandoned. */
  close(): Promise<void>
}

/** `source`: what the agent speaks, such as `acp`. */
export type OpenToolJournal = (assignment: Assignment, source: string, masker: SecretMasker) => ToolJournal
