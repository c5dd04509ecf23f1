import type { TokenUse } from '../../../foundation/kernel/model-price.ts'
import type { LlmAgentSettings } from '../../../foundation/platform/config/llm-agent.ts'
import { contextOf, type ModelUsage } from './conversation.ts'

export interface BoundsState {
  readonly turns: number
  readonly spent: ModelUsage
  /** Null: nobody knows the price. */
  readonly microUsd: number | null
  /** Tokens that the next request begins with, about. */
  readonly context: number
  readonly elapsedMs: number
}

export type NextTurn = { readonly mostTokens: number } | { readonly stop: string }

type Bounds = Pick<
  LlmAgentSettings,
  'turns' | 'tokens' | 'budgetMicroUsd' | 'wallMs' | 'answerTokens' | 'contextTokens'
>

/** An answer shorter than this is not worth asking for. */
const shortest = 64

/**
 * Whether there is room for another turn, and how long its answer may be so that the bounds hold also when it is as long
 * as that. `costOf` gives micro-dollars; null where no price is known, and then a budget cannot be kept.
 */
export function nextTurn(bounds: Bounds, state: BoundsState, costOf: (use: TokenUse) => number | null): NextTurn {
  if (state.turns >= bounds.turns) return { stop: `it has taken the ${bounds.turns} turns that its pool allows` }
  if (bounds.wallMs !== null && state.elapsedMs >= bounds.wallMs)
    return { stop: `it has taken the ${bounds.wallMs / 1_000} s that its pool allows` }
  const left = bounds.tokens - contextOf(state.spent) - state.context
  const room = Math.min(bounds.answerTokens, left, bounds.contextTokens - state.context)
  if (left < shortest) return { stop: `it has used the ${bounds.tokens} tokens that its pool allows` }
  if (room < shortest) return { stop: `its context of ${bounds.contextTokens} tokens is full` }
  if (bounds.budgetMicroUsd === null) return { mostTokens: room }
  return withinBudget(bounds.budgetMicroUsd, state, room, costOf)
}

function withinBudget(
  budget: number,
  { microUsd, context }: BoundsState,
  room: number,
  costOf: (use: TokenUse) => number | null,
): NextTurn {
  const input = costOf({ inputTokens: context })
  const thousand = costOf({ outputTokens: 1_000 })
  if (microUsd === null || input === null || thousand === null)
    return { stop: 'nobody knows the price of its model, so that the budget of its pool cannot be kept' }
  const left = budget - microUsd - input
  const affordable = thousand === 0 ? room : Math.floor((left * 1_000) / thousand)
  const most = Math.min(room, affordable)
  return left < 0 || most < shortest ? { stop: `it has used the budget of its pool` } : { mostTokens: most }
}
