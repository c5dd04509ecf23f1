import type { ContextUse } from '../../orchestration/context-growth/context-growth-contract.ts'
import { plural } from '../text.ts'

/** How full a context is, and when it will have to be summed up. */
export function contextText({ used, limit, share, growth, turnsLeft, summaries }: ContextUse): string {
  const forecast =
    turnsLeft === null ? '' : turnsLeft === 0 ? ', to be summed up now' : `, ${plural(turnsLeft, 'turn')} left`
  const pace = growth === null ? '' : ` (+${growth} a turn)`
  const past = summaries === 0 ? '' : `, summed up ${plural(summaries, 'time')}`
  return `${Math.round(share * 100)}% of ${limit} tokens: ${used}${pace}${forecast}${past}`
}
