import type { Part } from '@a2a-js/sdk'
import type { ToolJournal } from '../../tool-calls/tool-journal.ts'
import { readToldTool, ToldTools } from '../sessions/told-tools.ts'

/** More in one message are not looked at. */
const mostAtOnce = 100

/**
 * The protocol has no words for tools. Agents tell of them in `metadata`, as `toolCalls`, or, as those of the Agent
 * Development Kit do, by data parts that are marked `adk_type`: `function_call` and `function_response`.
 */
export class A2aTools {
  readonly #told: ToldTools
  /** Names of tools by their call: a response of the kit may leave its own out. */
  readonly #names = new Map<string, string>()

  constructor(journal: ToolJournal) {
    this.#told = new ToldTools(journal)
  }

  /** `metadata` of a task, a status, a message or an artifact. */
  told(metadata: unknown): void {
    const calls = (metadata as { readonly toolCalls?: unknown } | null | undefined)?.toolCalls
    if (!Array.isArray(calls)) return
    for (const each of calls.slice(0, mostAtOnce)) {
      const told = readToldTool(each)
      if (told !== null) this.#told.take(told)
    }
  }

  /** Whether a part tells of a tool, and is nothing else. */
  takes({ content, metadata }: Part): boolean {
    const type = (metadata as { readonly adk_type?: unknown } | undefined)?.adk_type
    if (content?.$case !== 'data' || (type !== 'function_call' && type !== 'function_response')) return false
    const data = (content.value ?? {}) as { readonly [name in 'id' | 'name' | 'response']?: unknown }
    const call = typeof data.id === 'string' && data.id !== '' ? data.id.slice(0, 200) : null
    const named = typeof data.name === 'string' && data.name !== '' ? data.name.slice(0, 200) : null
    const tool = named ?? (call === null ? undefined : this.#names.get(call))
    if (call === null || tool === undefined) return true
    if (this.#names.size < 1_000) this.#names.set(call, tool)
    const failed = (data.response as { readonly error?: unknown } | null | undefined)?.error !== undefined
    const state = type === 'function_call' ? 'started' : failed ? 'failed' : 'completed'
    this.#told.take({ call, tool, state })
    return true
  }
}
