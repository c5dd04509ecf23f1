import type { Bench } from '../harness/bench.ts'
import { spreadResults } from '../harness/report.ts'
import { median } from '../harness/statistics.ts'
import { type Backlog, holdBacklog } from '../ours/backlog.ts'
import type { Kind } from '../ours/platform.ts'
import { measureTicks } from '../ours/tick-time.ts'

const seconds = 30
const uniform: readonly Kind[] = [{ priority: 5, capabilities: [] }]
const skills = Array.from({ length: 100 }, (_, n) => `skill-${n}`)
const thousandLanes = skills.flatMap((skill) =>
  Array.from({ length: 10 }, (_, n): Kind => ({ priority: n + 1, capabilities: [skill] })),
)
const base: Backlog = { tasks: 1_000, tenants: 1, kinds: uniform, unservable: 0, capabilities: [] }

/** One thousand is measured first and last: what the machine does meanwhile shows as their spread. */
const backlogs: readonly (readonly [part: string, name: string, backlog: Backlog])[] = [
  ['1k', '1 thousand', base],
  ['1m', '1 million', { ...base, tasks: 1_000_000 }],
  ['unservable', '1 thousand, 999 thousand unservable', { ...base, unservable: 999_000 }],
  ['lanes', '100 thousand in 1,000 lanes', { ...base, tasks: 100_000, kinds: thousandLanes, capabilities: skills }],
  ['tenants', '100 thousand of 100 tenants', { ...base, tasks: 100_000, tenants: 100 }],
  ['1k', '1 thousand', base],
]

const agentCounts = [10, 1_000, 10_000] as const

/** Whether the rate depends on how much waits, and the tick on how many agents there are. */
export const bench: Bench = {
  parts: [...new Set(backlogs.map(([part]) => part)), 'ticks'],
  targets: {
    rate_1m_vs_1k: ['>=', 0.9],
    rate_unservable_vs_1k: ['>=', 0.8],
    tick_1000_vs_10_agents: ['<=', 100],
    tick_10000_vs_1000_agents: ['<=', 10],
  },
  async measure(server, { only, note }) {
    const wanted = (part: string) => only?.includes(part) ?? true
    const rates = new Map<string, number[]>()
    for (const [index, [part, name, backlog]] of backlogs.entries()) {
      if (!wanted(part)) continue
      const url = await server.createDatabase(`backlog_${index}`)
      const measured = await holdBacklog(url, backlog, seconds, () => server.settle())
      await server.dropDatabase(`backlog_${index}`)
      const parts = measured.map(Math.round).join(', ')
      note(`${name}: ${Math.round(median(measured))} tasks/s; each 5 s: ${parts}`)
      rates.set(name, [...(rates.get(name) ?? []), ...measured])
    }
    const ticks = new Map<number, number[]>()
    for (const count of wanted('ticks') ? agentCounts : []) {
      const url = await server.createDatabase(`ticks_${count}`)
      ticks.set(count, await measureTicks(url, count))
      await server.dropDatabase(`ticks_${count}`)
      note(`${count} agents: ${median(ticks.get(count)!).toFixed(1)} ms a tick`)
    }
    const over = (taken: Map<unknown, number[]>, above: unknown, below: unknown) => {
      const [a, b] = [taken.get(above), taken.get(below)]
      return a && b ? median(a) / median(b) : null
    }
    const ratios = {
      rate_1m_vs_1k: over(rates, '1 million', '1 thousand'),
      rate_unservable_vs_1k: over(rates, '1 thousand, 999 thousand unservable', '1 thousand'),
      rate_1000_lanes_vs_1k: over(rates, '100 thousand in 1,000 lanes', '1 thousand'),
      rate_100_tenants_vs_1k: over(rates, '100 thousand of 100 tenants', '1 thousand'),
      tick_1000_vs_10_agents: over(ticks, 1_000, 10),
      tick_10000_vs_1000_agents: over(ticks, 10_000, 1_000),
    }
    return {
      results: [
        ...[...rates].flatMap(([name, taken]) => spreadResults(name, taken, 'tasks/s')),
        ...[...ticks].flatMap(([count, taken]) => spreadResults(`tick with ${count} agents`, taken, 'ms')),
      ],
      ratios: Object.fromEntries(
        Object.entries(ratios).filter((ratio): ratio is [string, number] => ratio[1] !== null),
      ),
    }
  },
}
