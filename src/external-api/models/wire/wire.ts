import type { Fields } from './fields.ts'

/** The requests that the gateway takes, by the form in which they are written. */
export type WireName = 'chat' | 'responses' | 'embeddings' | 'messages' | 'count'

/** What a provider says that a call took. `inputTokens` without those of the cache. */
export interface ModelUsage {
  readonly inputTokens: number
  readonly outputTokens: number
  readonly cacheReadTokens: number
  readonly cacheWriteTokens: number
  /** Those of `cacheWriteTokens` that are kept for an hour, which costs more. */
  readonly longCacheWriteTokens: number
}

/** Follows the events of one streamed answer. */
export interface StreamWatch {
  /** Takes the data of an event. True where the event is there only because we asked for it. */
  see(data: string): boolean
  /** The final count; null while there is none. */
  usage(): ModelUsage | null
  /** The answer has come to its end. */
  isComplete(): boolean
}

/** How requests of one form limit their output, and how answers tell what they took. */
export interface Wire {
  readonly name: WireName
  /** Below the address of the provider. */
  readonly path: string
  /** The output limit that the request names; null: none. */
  outputOf(body: Fields): number | null
  /**
   * The request with that limit, and no other; the same object where it says so already. `field`: where the account takes it,
   * since a provider that does not know a field passes over it in silence.
   */
  limitOutput(body: Fields, tokens: number, field: string): Fields
  /** How many answers are asked for, each with the whole output limit. */
  choicesOf(body: Fields): number
  /** Less output than this the request cannot be sent with. */
  leastOutput(body: Fields): number
  usageOf(answer: Fields): ModelUsage | null
  watch(hideUsage: boolean): StreamWatch
}
