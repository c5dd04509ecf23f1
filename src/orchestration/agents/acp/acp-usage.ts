import { z } from '../../../foundation/kernel/schema.ts'
import type { AttemptSpending } from '../../runners/exchange-contract.ts'

const count = z.number().int().min(0).max(1_000_000_000_000)

/** How agents tell what a turn took: as the protocol's draft says, or in the words of the Gemini CLI. */
const answerSchema = z.object({
  usage: z
    .object({
      inputTokens: count,
      outputTokens: count,
      thoughtTokens: count.nullish(),
      cachedReadTokens: count.nullish(),
      cachedWriteTokens: count.nullish(),
    })
    .nullish()
    .catch(undefined),
  _meta: z
    .object({
      quota: z
        .object({
          token_count: z.object({ input_tokens: count, output_tokens: count }),
          model_usage: z.array(z.object({ model: z.string().max(200) })).optional(),
        })
        .nullish(),
    })
    .nullish()
    .catch(undefined),
})

const costSchema = z.object({ amount: z.number().min(0).max(1_000_000), currency: z.string() })

/** Adds up what an agent says it has spent. */
export class AcpUsage {
  #input = 0
  #output = 0
  #cacheRead = 0
  #cacheWrite = 0
  #microUsd: number | null = null
  #model: string | null
  #told = false

  constructor(model: string | null) {
    this.#model = model
  }

  /** The answer to a prompt. */
  turn(answer: unknown): void {
    const parsed = answerSchema.safeParse(answer)
    if (!parsed.success) return
    const { usage, _meta: meta } = parsed.data
    if (usage) {
      this.#told = true
      this.#input += usage.inputTokens
      this.#output += usage.outputTokens + (usage.thoughtTokens ?? 0)
      this.#cacheRead += usage.cachedReadTokens ?? 0
      this.#cacheWrite += usage.cachedWriteTokens ?? 0
    } else if (meta?.quota) {
      this.#told = true
      this.#input += meta.quota.token_count.input_tokens
      this.#output += meta.quota.token_count.output_tokens
      this.#model = meta.quota.model_usage?.[0]?.model ?? this.#model
    }
  }

  /** `cost` of a usage update: that of the whole session so far. */
  cost(cost: unknown): void {
    const parsed = costSchema.safeParse(cost)
    if (!parsed.success || parsed.data.currency !== 'USD') return
    this.#told = true
    this.#microUsd = Math.round(parsed.data.amount * 1_000_000)
  }

  get spending(): AttemptSpending | undefined {
    if (!this.#told) return undefined
    return {
      ...(this.#microUsd === null ? {} : { microUsd: this.#microUsd }),
      inputTokens: this.#input,
      outputTokens: this.#output,
      ...(this.#cacheRead === 0 ? {} : { cacheReadTokens: this.#cacheRead }),
      ...(this.#cacheWrite === 0 ? {} : { cacheWriteTokens: this.#cacheWrite }),
      ...(this.#model === null ? {} : { model: this.#model }),
    }
  }
}
