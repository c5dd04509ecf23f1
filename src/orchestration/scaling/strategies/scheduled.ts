import { keep, type Recommendation, type ScalingView } from './recommendation.ts'

/** As many agents as the entry says whose time came last. Before any has come, as many as there are. */
export function scheduled(view: ScalingView): Recommendation {
  const { policy, now, lastSlot } = view
  let latest: { readonly at: Date; readonly agents: number; readonly cron: string } | null = null
  for (const entry of policy.scheduled.entries) {
    const at = lastSlot(entry, now)
    if (at !== null && (latest === null || at >= latest.at)) latest = { at, agents: entry.agents, cron: entry.cron }
  }
  if (latest === null) return keep(view, 'no entry of the schedule has come yet')
  return { agents: latest.agents, reason: `${latest.cron} said ${latest.agents} at ${latest.at.toISOString()}` }
}
