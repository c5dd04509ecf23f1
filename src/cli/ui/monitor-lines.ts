import { formatDuration } from '../../foundation/kernel/units.ts'
import type { HostFigures, Monitor } from '../../orchestration/monitor/monitor-contract.ts'
import type { Colors } from '../output.ts'
import { formatBytes, oneLine, table } from '../text.ts'
import { agentCounts } from './agent-counts.ts'
import { contextText } from './context-text.ts'

/** The figures for people. What could not be measured is called unknown, never zero. */
export function monitorLines(figures: Monitor, { metrics, colors }: { metrics: boolean; colors: Colors }): string[] {
  const { host, agents, queue, runs } = figures
  const rows: string[][] = [
    ...(host === null ? [] : hostRows(host)),
    ['agents', `${agentCounts(agents.byState)}; ${agents.used} of ${agents.slots} slots in use`],
    ['runs', counts(runs.byState)],
  ]
  if (queue.length === 0) rows.push(['queue', 'empty'])
  for (const [index, { pool, state, count, atLeast, oldestSeconds }] of queue.entries()) {
    const oldest = oldestSeconds === null ? '' : `, oldest ${formatDuration(oldestSeconds * 1_000)}`
    rows.push([index === 0 ? 'queue' : '', `${oneLine(pool, 40)}: ${count}${atLeast ? '+' : ''} ${state}${oldest}`])
  }
  rows.push(...contextRows(figures))
  if (metrics) rows.push(...metricRows(figures))
  return [
    `${colors.bold('leanvibe')} ${colors.dim(figures.at)}`,
    ...table(rows.map(([name, value]) => [colors.dim(name!), value!])),
  ]
}

/** Agents whose context is filling up. */
function contextRows({ contexts }: Monitor): string[][] {
  return contexts
    .filter(({ level }) => level !== 'ok')
    .map((context, index) => [index === 0 ? 'context' : '', `${oneLine(context.step, 40)}: ${contextText(context)}`])
}

/** Only who runs the installation is shown its machine. */
function hostRows(host: HostFigures): string[][] {
  return [
    [
      'cpu',
      `${share(host.cpu)} of ${host.cores} cores${host.load === null ? '' : `, load ${host.load.map((load) => load.toFixed(2)).join(' ')}`}`,
    ],
    ['memory', used(host.memory)],
    ['disk', host.disk === null ? 'unknown' : used(host.disk)],
    ['network', networkText(host.network)],
  ]
}

function metricRows({ rates, eventLagMs, databaseBytes }: Monitor): string[][] {
  return [
    [
      'throughput',
      `${rates.throughput1m.toFixed(2)} tasks/s in the last minute, ${rates.throughput5m.toFixed(2)} in the last five`,
    ],
    [
      'failures',
      rates.failures5m === null
        ? 'no task ended in the last five minutes'
        : `${share(rates.failures5m)} of the tasks of the last five minutes`,
    ],
    ...(eventLagMs === null ? [] : [['event lag', formatDuration(eventLagMs)]]),
    ['database', databaseBytes === null ? 'unknown' : formatBytes(databaseBytes)],
  ]
}

function networkText(network: HostFigures['network']): string {
  if (network === null || network.bytesPerSecond === null) return 'unknown'
  const rate = `${formatBytes(network.bytesPerSecond)}/s`
  return network.capacity === null
    ? rate
    : `${rate} of ${formatBytes(network.capacity)}/s (${share(Math.min(1, network.bytesPerSecond / network.capacity))})`
}

function share(value: number | null): string {
  return value === null ? 'unknown' : `${(value * 100).toFixed(1)} %`
}

function used({ usedBytes, totalBytes }: { usedBytes: number; totalBytes: number }): string {
  return `${formatBytes(usedBytes)} of ${formatBytes(totalBytes)} (${share(totalBytes === 0 ? null : usedBytes / totalBytes)})`
}

function counts(byState: Readonly<Record<string, number>>): string {
  const parts = Object.entries(byState)
    .filter(([, count]) => count > 0)
    .map(([state, count]) => `${count} ${state}`)
  return parts.length === 0 ? 'none' : parts.join(', ')
}
