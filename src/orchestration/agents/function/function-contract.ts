import type { JsonObject, JsonValue } from '../../../foundation/kernel/json.ts'

/** What a function is called with. Paths are absolute: the working folder of a thread is that of the whole process. */
export interface FunctionTask {
  /** The task in words. */
  readonly prompt: string
  readonly runId: string
  readonly taskId: string
  readonly step: string
  /** Index inside a `map` step, else null. */
  readonly item: number | null
  /** 1 for the first attempt. */
  readonly attempt: number
  readonly depth: string
  /** `config` and `secretConfig` of the step. */
  readonly config: Readonly<Record<string, string>>
  /** The worktree of the task, or a folder of its own. */
  readonly workdir: string
  /** What is written here is kept as artifacts. */
  readonly outdir: string
}

export interface FunctionQuestion {
  readonly message: string
  /** Default: an answer in free words. */
  readonly choices?: readonly { readonly id: string; readonly label: string }[]
  readonly freeText?: boolean
  /** The choice when nobody answers. */
  readonly defaultChoice?: string
  readonly details?: JsonObject
}

export interface FunctionAnswer {
  readonly choice: string | null
  readonly text: string | null
  readonly by: string
  /** Nobody answered in time. */
  readonly expired: boolean
}

/** What a function has spent so far; the last word counts. */
export interface FunctionUsage {
  readonly microUsd?: number
  readonly inputTokens?: number
  readonly outputTokens?: number
  readonly model?: string
}

/** A tool that a function is about to use, as it is told in the run. */
export interface FunctionTool {
  readonly tool: string
  /** What it does. Default `other`. */
  readonly kind?: 'read' | 'search' | 'think' | 'edit' | 'delete' | 'move' | 'execute' | 'fetch' | 'other'
  /** One line for people; no arguments, no texts. Default: the tool. */
  readonly title?: string
}

export interface FunctionContext {
  /** Aborted on cancel, on timeout, on loss of the lease. What goes on is ended by force a little later. */
  readonly signal: AbortSignal
  /** The variables of the attempt, and no others; `process.env` holds the same. */
  readonly env: Readonly<Record<string, string>>
  /** A sign of life. */
  progress(note?: string): void
  /** A line of the log. */
  log(line: string): void
  /** Words of the answer, before the end. */
  say(text: string): void
  /** Asks people, and waits. */
  ask(question: FunctionQuestion): Promise<FunctionAnswer>
  usage(spent: FunctionUsage): void
  /** Tells that it uses a tool, does `work`, and tells what came of it: `failed` where it throws. Resolves to what `work` does. */
  tool<T>(used: FunctionTool, work: () => T | Promise<T>): Promise<T>
}

/**
 * The default export of a function module. Its value is the answer: text as it is, anything else as JSON. What it throws
 * is its failure; an error with `retry: 'never'` is not tried again.
 */
export type AgentFunction = (
  task: FunctionTask,
  context: FunctionContext,
) => JsonValue | undefined | Promise<JsonValue | undefined>

/** What the thread is started with. */
export interface FunctionThreadData {
  /** URL of the module. */
  readonly module: string
  readonly task: FunctionTask
  readonly env: Readonly<Record<string, string>>
  /** One 32-bit number: messages that the other side has not yet dealt with. */
  readonly unread: SharedArrayBuffer
}

/** So many messages may be unread before the thread has to wait. */
export const mostUnread = 256

/** To the thread. */
export type ToFunction =
  | { readonly kind: 'abort'; readonly reason: string }
  | { readonly kind: 'answer'; readonly id: number; readonly answer: FunctionAnswer | null; readonly error?: string }

/** From the thread. The module shares it, so everything is checked. */
export type FromFunction =
  | { readonly kind: 'progress'; readonly note?: string }
  | { readonly kind: 'log'; readonly line: string }
  | { readonly kind: 'say'; readonly text: string }
  | { readonly kind: 'ask'; readonly id: number; readonly question: FunctionQuestion }
  | { readonly kind: 'usage'; readonly spent: FunctionUsage }
  | {
      readonly kind: 'tool'
      readonly call: number
      readonly state: 'started' | 'completed' | 'failed'
      readonly used: FunctionTool
    }
  | { readonly kind: 'done'; readonly text: string | null; readonly cpuSeconds: number | null }
  | {
      readonly kind: 'failed'
      readonly message: string
      readonly retry: 'never' | 'later'
      readonly cpuSeconds: number | null
    }
