import { z } from '../../../foundation/kernel/schema.ts'
import type { AttemptSpending } from '../../runners/exchange-contract.ts'

const count = z.number().int().min(0).max(1_000_000_000_000)

/** The protocol has no words for what a task costs; agents put it into `metadata` as `usage`, in one of these forms. */
const schema = z.object({
  usage: z.union([
    z.object({ inputTokens: count, outputTokens: count }),
    z
      .object({ input_tokens: count, output_tokens: count })
      .transform((told) => ({ inputTokens: told.input_tokens, outputTokens: told.output_tokens })),
    z
      .object({ prompt_tokens: count, completion_tokens: count })
      .transform((told) => ({ inputTokens: told.prompt_tokens, outputTokens: told.completion_tokens })),
  ]),
})
const moneySchema = z.object({ usage: z.object({ microUsd: count.optional(), model: z.string().max(200).optional() }) })

/** What an agent says it has spent on a task: each word of it is the sum so far. */
export class A2aUsage {
  #spending: AttemptSpending | undefined

  /** `metadata` of a task, a status, a message or an artifact. */
  told(metadata: unknown): void {
    const tokens = schema.safeParse(metadata)
    const money = moneySchema.safeParse(metadata)
    if (!tokens.success && money.data?.usage.microUsd === undefined) return
    const { microUsd, model } = money.data?.usage ?? {}
    this.#spending = {
      ...this.#spending,
      ...tokens.data?.usage,
      ...(microUsd === undefined ? {} : { microUsd }),
      ...(model === undefined ? {} : { model }),
    }
  }

  get spending(): AttemptSpending | undefined {
    return this.#spending
  }
}
