import type { JsonObject } from '../../../foundation/kernel/json.ts'
import type { Assignment, AttemptError, AttemptSpending, ResourceUsage } from '../../runners/exchange-contract.ts'
import type { ToolJournal } from '../../tool-calls/tool-journal.ts'
import type { ResolvedAgent } from '../../workflows/task-contract.ts'
import type { AttemptContext, EnforcementClass } from '../agent-adapter.ts'
import type { AskAnswer, AskQuestion } from '../ask-contract.ts'

/** What is asked of people, without what the session knows itself. */
export type SessionQuestion = Omit<AskQuestion, 'tenant' | 'runId' | 'taskId' | 'step' | 'fence'>

/** What a session may do to the world outside: progress, words, questions. */
export interface SessionContext extends AttemptContext {
  /** Words of the agent: its answer, as far as it has come. They become the output of the step, and its log. */
  say(text: string): void | Promise<void>
  /** Words that are in the log already, as the output of the step. */
  answer(text: string): Promise<void>
  /** The tools it uses, for people and programs that follow the run. */
  readonly tools: ToolJournal
  /** What it does besides: tool calls, plans, notices. Goes to the log alone. */
  note(line: string): void | Promise<void>
  /** Asks people. Rejects when the attempt ends. */
  ask(question: SessionQuestion): Promise<AskAnswer>
}

/** How a turn ended. */
export interface AgentAnswer {
  readonly outcome: 'done' | 'cancelled' | 'failed'
  /** Unless done. */
  readonly error: AttemptError | null
  /** Values besides the words, for agents that give some: merged into the output under their names. */
  readonly values?: JsonObject
}

export interface SessionEnd {
  readonly usage: ResourceUsage
  /** Processes that could not be ended. */
  readonly survivors: number
  /** Why it ended by itself, if it did; null: it was stopped, or lives on elsewhere. */
  readonly error: AttemptError | null
}

/** One conversation with an agent, for one attempt. `send` settles in any case: when the agent dies, too. */
export interface AgentSession {
  /** Hands over the task; resolves when the agent says it is done, or cannot go on. */
  send(task: ResolvedAgent): Promise<AgentAnswer>
  /** Tells the agent to stop what it does. It is stopped anyway a little later. */
  cancel(reason: string): void | Promise<void>
  /** What it says it has spent so far. */
  usage(): AttemptSpending | undefined
  /** Ends the agent and all it started. Called once, whatever happened. */
  stop(): Promise<SessionEnd>
}

/** Knows how one kind of agent is reached. */
export interface AgentDriver {
  readonly kind: string
  readonly enforcement: EnforcementClass
  /** Throws an AppError where the agent cannot be had; what it had begun is ended then. */
  start(assignment: Assignment, context: SessionContext): Promise<AgentSession>
}
