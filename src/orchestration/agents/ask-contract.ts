import type { RunId, TaskId, TenantId } from '../../foundation/kernel/ids.ts'
import type { JsonObject } from '../../foundation/kernel/json.ts'
import type { EscalationLevel } from '../approvals/approval-rules-contract.ts'

/** One of the answers that an agent offers. */
export interface AskChoice {
  /** What goes back to the agent. */
  readonly id: string
  /** What people read. */
  readonly label: string
  /** What it means, where the question is about a permission. `always` holds for the rest of the attempt. */
  readonly meaning?: 'allow-once' | 'allow-always' | 'reject-once' | 'reject-always'
}

/** As the pool of the agent says; users, roles and groups as in approvals. */
export interface AskRules {
  /** Empty: whoever may approve. */
  readonly who: readonly string[]
  /** Who may answer, too, level by level, while nobody has answered. */
  readonly escalate: readonly EscalationLevel[]
  /**
   * What happens at the deadline. `escalate`: the next level, and after the last the choice of the agent. `approve`,
   * `reject`: what is asked for is given or refused, once. Null: the choice of the agent.
   */
  readonly atDeadline: 'approve' | 'reject' | 'escalate' | null
  /** How many must allow it, or take the same choice; one who refuses is enough. Absent: one. */
  readonly count?: number
}

/** Something that an agent at work wants to know of people before it goes on. */
export interface AskQuestion {
  readonly tenant: TenantId
  readonly runId: RunId
  readonly taskId: TaskId
  readonly step: string
  /** The lease that asks: when it ends, nobody waits for the answer any more. */
  readonly fence: number
  /** Names the question within the lease: asked a second time with the same key, it is the same question. */
  readonly key: string
  /** `permission`: may the agent do what `details` says? `question`: it needs to know something. */
  readonly kind: 'permission' | 'question'
  /** What people read: plain text, secrets masked, at most 4,000 characters. */
  readonly message: string
  /** Empty: only free text is an answer. */
  readonly choices: readonly AskChoice[]
  /** Whether an answer in free words is one. */
  readonly freeText: boolean
  /** The choice taken at the deadline; null: no answer, and the agent is told so. */
  readonly defaultChoice: string | null
  /** Milliseconds until nobody will answer; null: as the policy says. */
  readonly deadlineMs: number | null
  /** How sure the agent is, and how much is at stake, 0 to 1, where it says so; policies decide by them whether people are asked. */
  readonly confidence?: number
  readonly risk?: number
  /** Who may answer, and what happens while nobody does. Default: whoever may approve, until the deadline. */
  readonly rules?: AskRules
  /** What it is about, for programs: tool, kind of call, paths, command. Masked; at most 64 KiB as JSON. */
  readonly details: JsonObject
}

export interface AskAnswer {
  /** Id of the choice; null: free text alone, or nobody answered. */
  readonly choice: string | null
  readonly text: string | null
  /** Who or what answered: a user, `policy`, `deadline`. */
  readonly by: string
  /** Nobody answered in time: `choice` is the default, or null. */
  readonly expired: boolean
}

/**
 * Where questions of agents end. Resolves with the answer; each question is put once, survives a restart of whoever
 * keeps it, and is closed when `signal` aborts (then the promise rejects with the signal's reason). An agent that waits
 * here is not idle: its adapter reports progress for it.
 */
export interface AskPort {
  ask(question: AskQuestion, signal: AbortSignal): Promise<AskAnswer>
}
