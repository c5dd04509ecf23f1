import { z } from 'zod'

const usdPerMillion = z.number().min(0).max(1_000_000)
const day = z.iso.date('expected a day such as 2026-01-31')

/** What a model costs from a day on, US$ per million tokens. Without `to` it holds until a later price begins. */
export const modelPriceSchema = z.strictObject({
  /** The model's name, or the beginning of it up to a `-`, `@` or `:`; the longest that fits counts. */
  model: z.string().min(1).max(200),
  from: day,
  to: day.optional(),
  input: usdPerMillion,
  output: usdPerMillion,
  /** Tokens read from and written to a prompt cache. Default: as `input`. */
  cacheRead: usdPerMillion.optional(),
  cacheWrite: usdPerMillion.optional(),
})
export type ModelPrice = z.output<typeof modelPriceSchema>

export interface TokenUse {
  readonly inputTokens?: number | undefined
  readonly outputTokens?: number | undefined
  readonly cacheReadTokens?: number | undefined
  readonly cacheWriteTokens?: number | undefined
}
