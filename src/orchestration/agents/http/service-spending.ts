import type { AttemptSpending } from '../../runners/exchange-contract.ts'

const counts = ['inputTokens', 'outputTokens', 'microUsd'] as const

/** What a service says it has spent; anything that is no such figure is left out. */
export function readSpent(told: Readonly<Record<string, unknown>>): AttemptSpending {
  const known = counts.flatMap((name) => {
    const value = told[name]
    return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? [[name, Math.ceil(value)] as const] : []
  })
  const { model } = told
  return { ...Object.fromEntries(known), ...(typeof model === 'string' ? { model: model.slice(0, 200) } : {}) }
}
