/**
 * How many agents there are in each state, for people. Those that went with a former process within the last hour stand apart:
 * after some restarts there are more of them than of the others.
 */
export function agentCounts(byState: Readonly<Record<string, number>>): string {
  const { offline = 0, ...present } = byState
  const counts = Object.entries(present).flatMap(([state, count]) => (count > 0 ? [`${count} ${state}`] : []))
  return [counts.join(', ') || 'none', ...(offline > 0 ? [`(${offline} offline)`] : [])].join(' ')
}
