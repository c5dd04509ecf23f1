import type { JsonObject } from '../../../../foundation/kernel/json.ts'
import type { ModelAnswer, ModelRequest, ToolCall } from '../conversation.ts'

/** One event of the stream in which an answer arrives. */
export interface WireEvent {
  readonly data: string
}

/** Puts an answer together. */
export interface AnswerReader {
  /** Resolves to the words in the event. @throws agent-protocol; agent-failed where the event is an error */
  take(event: WireEvent): string
  /** @throws agent-protocol where the stream ended before the answer did */
  end(): ModelAnswer
}

/** The form in which one family of providers is asked. */
export interface LlmWire {
  /** Variables of an attempt that say where and with which key. */
  readonly env: { readonly url: string; readonly key: string }
  /** Below that address. */
  readonly path: string
  headers(key: string): Readonly<Record<string, string>>
  body(request: ModelRequest): JsonObject
  read(): AnswerReader
}

/** An object of arguments; null for anything else. */
export function argumentsOf(text: string): JsonObject | null {
  if (text.trim() === '') return {}
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : null
  } catch {
    return null
  }
}

export function stopOf(reason: unknown, calls: readonly ToolCall[]): ModelAnswer['stop'] {
  if (reason === 'length' || reason === 'max_tokens') return 'length'
  if (calls.length === 0 && (reason === 'content_filter' || reason === 'refusal')) return 'refused'
  return 'done'
}
