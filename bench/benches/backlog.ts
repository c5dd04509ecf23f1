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
const backlogs: readonly (readonly [name: string, backlog: Backlog])[] = [
  ['1 thousand', base],
  ['1 million', { ...base, tasks: 1_000_000 }],
  ['1 thousand, 999 thousand unservable', { ...base, unservable: 999_000 }],
  ['100 thousand in 1,000 lanes', { ...base, tasks: 100_000, kinds: thousandLanes, capabilities: skills }],
  ['100 thousand of 100 tenants', { ...base, tasks: 100_000, tenants: 100 }],
  ['1 thousand', base],
]

const agentCounts = [10, 1_000, 10_000] as const

/** Whether the rate depends on how much waits, and the tick on how many agents there are. */
export const bench: Bench = {
  targets: {
    rate_1m_vs_1k: ['>=', 0.9],
    rate_unservable_vs_1k: ['>=', 0.8],
    tick_1000_vs_10_agents: ['<=', 100],
    tick_10000_vs_1000_agents: ['<=', 10],
  },
  async measure(server, { note }) {
    const rates = new Map<string, number[]>()
    for (const [index, [name, backlog]] of backlogs.entries()) {
      const url = await server.createDatabase(`backlog_${index}`)
      const measured = await holdBacklog(url, backlog, seconds, () => server.settle())
      await server.dropDatabase(`backlog_${index}`)
      note(`${name}: ${Math.round(median(measured))} tasks/s`)
      rates.set(name, [...(rates.get(name) ?? []), ...measured])
    }
    const ticks = new Map<number, number[]>()
    for (const count of agentCounts) {
      const url = await server.createDatabase(`ticks_${count}`)
      ticks.set(count, await measureTicks(url, count))
      await server.dropDatabase(`ticks_${count}`)
      note(`${count} agents: ${median(ticks.get(count)!).toFixed(1)} ms a tick`)
    }
    const rate = (name: string) => median(rates.get(name)!)
    const tick = (count: number) => median(ticks.get(count)!)
    return {
      results: [
        ...[...rates].flatMap(([name, taken]) => spreadResults(name, taken, 'tasks/s')),
        ...[...ticks].flatMap(([count, taken]) => spreadResults(`tick with ${count} agents`, taken, 'ms')),
      ],
      ratios: {
        rate_1m_vs_1k: rate('1 million') / rate('1 thousand'),
        rate_unservable_vs_1k: rate('1 thousand, 999 thousand unservable') / rate('1 thousand'),
        rate_1000_lanes_vs_1k: rate('100 thousand in 1,000 lanes') / rate('1 thousand'),
        rate_100_tenants_vs_1k: rate('100 thousand of 100 tenants') / rate('1 thousand'),
        tick_1000_vs_10_agents: tick(1_000) / tick(10),
        tick_10000_vs_1000_agents: tick(10_000) / tick(1_000),
      },
    }
  },
}
