import type { ModelPrice, TokenUse } from '../../foundation/kernel/model-price.ts'
import { type Fields, fieldsOf } from './wire/fields.ts'
import type { ModelUsage } from './wire/wire.ts'

/** What a call can take at most. */
export interface Bound {
  readonly inputTokens: number
  /** For each of its answers. */
  readonly outputTokens: number
  readonly choices: number
}

/** Dearer than any price that applies to a call, in each of its parts. */
export type WorstPrice = Readonly<Pick<ModelPrice, 'input' | 'output'>>

/** Computes what tokens cost, whole micro-dollars, rounded up. */
export type CostAt = (price: ModelPrice, use: TokenUse) => number

/** An image costs no more than this many tokens with any provider, however few bytes it has. */
const imageTokens = 50_000
/** What providers add to the tools of a request, and to the request itself. */
const addedTokens = 2_048
/** Where nobody says how much a model takes. */
const usualContext = 1_050_000

const images = new Set(['image', 'image_url', 'input_image'])
/** Contents whose tokens do not follow from their bytes. */
const boundless = new Set(['document', 'file', 'input_file', 'input_audio', 'item_reference', 'container_upload'])
const hints = /"(image|image_url|input_image|document|file|input_file|input_audio|item_reference|container_upload)"/
/** Sound has tokens of its own, which cost many times what those of text do. */
const audio = /"type"\s*:\s*"input_audio"/
/** Fields by which the provider adds input that we do not see. */
const hidden = ['previous_response_id', 'conversation', 'prompt', 'container', 'context_management']

/**
 * Input tokens at most: a token is at least one byte of text, so the bytes of the request are a bound; images count on top,
 * and what is only named is as long as the model takes at most.
 */
export function boundInput(text: string, body: Fields, context: number | null): number {
  const all = context ?? usualContext
  if (hidden.some((field) => body[field] !== undefined && body[field] !== null)) return all
  let bound = Buffer.byteLength(text) + addedTokens
  if (hints.test(text)) {
    const found = countParts(body)
    if (found.boundless) return all
    bound += found.images * imageTokens
  }
  return Math.min(bound, context ?? bound)
}

/** The context of a model by the longest beginning of its name; null: nobody says. */
export function contextOf(model: string, contexts: Readonly<Record<string, number>>): number | null {
  const names = Object.keys(contexts).filter((name) => model.startsWith(name))
  const longest = names.reduce<string | null>(
    (best, name) => (best !== null && best.length > name.length ? best : name),
    null,
  )
  return longest === null ? null : contexts[longest]!
}

function countParts(value: unknown): { images: number; boundless: boolean } {
  const found = { images: 0, boundless: false }
  const walk = (inner: unknown): void => {
    if (typeof inner !== 'object' || inner === null) return
    if (!Array.isArray(inner)) {
      const { type } = inner as Fields
      if (typeof type === 'string') {
        if (images.has(type)) found.images += 1
        if (boundless.has(type)) found.boundless = true
      }
    }
    for (const next of Object.values(inner)) walk(next)
  }
  walk(value)
  return found
}

/**
 * What in a request is paid by a price that no table of ours has, as text; null where there is nothing of the kind. Such a
 * request cannot be bounded in US$.
 */
export function unpricedFeature(text: string, body: Fields, headers: Fields): string | null {
  const tier = body.service_tier
  if (typeof tier === 'string' && !['auto', 'default', 'standard_only', 'flex'].includes(tier))
    return `service_tier ${tier}`
  if (body.speed !== undefined && body.speed !== 'standard') return `speed ${String(body.speed)}`
  if (body.inference_geo !== undefined && body.inference_geo !== 'global') return 'inference_geo'
  if (/context-1m|fast-mode/.test(String(headers['anthropic-beta'] ?? '')))
    return 'the beta of the header anthropic-beta'
  for (const field of ['web_search_options', 'audio', 'prediction', 'mcp_servers']) {
    if (body[field] !== undefined && body[field] !== null) return field
  }
  if (audio.test(text)) return 'audio in a message'
  for (const tool of Array.isArray(body.tools) ? body.tools : []) {
    const { type } = fieldsOf(tool)
    if (typeof type === 'string' && !isOwnTool(type)) return `the tool ${type}, which the provider runs itself`
  }
  return null
}

/** Tools that the caller runs. */
function isOwnTool(type: string): boolean {
  return /^(function|custom|local_shell|shell|apply_patch|bash_\d+|text_editor_\d+|memory_\d+|computer_\d+)$/.test(type)
}

/** The dearest of each part. `longCache`: the request may write to a cache that is kept for an hour, at twice the input's price. */
export function dearest(prices: readonly ModelPrice[], longCache: boolean): WorstPrice {
  const inputs = prices.flatMap(({ input, cacheRead = 0, cacheWrite = 0 }) => [
    ...[input, cacheRead, cacheWrite],
    ...(longCache ? [input * 2] : []),
  ])
  return { input: Math.max(...inputs), output: Math.max(...prices.map(({ output }) => output)) }
}

/** Whether a request may write to a cache for an hour. */
export function writesLongCache(text: string): boolean {
  return /"ttl"\s*:\s*"1h"/.test(text)
}

const asPrice = (price: WorstPrice): ModelPrice => ({ model: '-', from: '2000-01-01', ...price })

/** What is held for a call, in whole units. `price` null: nobody knows it. */
export function holdOf(
  bound: Bound,
  price: WorstPrice | null,
  costAt: CostAt,
): { readonly 'micro-usd': number; readonly tokens: number } {
  const { inputTokens } = bound
  const outputTokens = bound.outputTokens * bound.choices
  const cost = price === null ? 0 : costAt(asPrice(price), { inputTokens, outputTokens })
  return { 'micro-usd': cost, tokens: inputTokens + outputTokens }
}

/** The largest output limit of each answer that stays within `granted`. */
export function outputWithin(
  bound: Bound,
  price: WorstPrice | null,
  granted: { readonly 'micro-usd'?: number; readonly tokens?: number },
  costAt: CostAt,
): number {
  const fits = (outputTokens: number) => {
    const hold = holdOf({ ...bound, outputTokens }, price, costAt)
    return (
      hold['micro-usd'] <= (granted['micro-usd'] ?? Number.POSITIVE_INFINITY) &&
      hold.tokens <= (granted.tokens ?? Number.POSITIVE_INFINITY)
    )
  }
  if (fits(bound.outputTokens)) return bound.outputTokens
  let low = 0
  let high = bound.outputTokens
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    if (fits(middle)) low = middle
    else high = middle - 1
  }
  return low
}

/** What a call cost by the provider's count, whole micro-dollars. Caches that are kept for an hour cost twice the input. */
export function costOfUsage(usage: ModelUsage, price: ModelPrice, costAt: CostAt): number {
  const { longCacheWriteTokens: long, cacheWriteTokens, ...rest } = usage
  const usual = costAt(price, { ...rest, cacheWriteTokens: cacheWriteTokens - long })
  return long === 0 ? usual : usual + costAt({ ...price, cacheWrite: price.input * 2 }, { cacheWriteTokens: long })
}

export function tokensOf(usage: ModelUsage): number {
  return usage.inputTokens + usage.outputTokens + usage.cacheReadTokens + usage.cacheWriteTokens
}
