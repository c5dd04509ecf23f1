import { setTimeout as delay } from 'node:timers/promises'
import type { Client } from '../../client/client.ts'
import { listPools } from '../../orchestration/agents/pools-contract.ts'
import { listFindings } from '../../orchestration/liveness/liveness-contract.ts'
import { type Monitor, showMonitor } from '../../orchestration/monitor/monitor-contract.ts'
import { listSchedules } from '../../orchestration/schedules/schedules-contract.ts'
import type { CliCommand, CliContext } from '../command.ts'
import { withConnection } from '../connect.ts'
import { Interrupted } from '../interrupts.ts'
import { wholeNumber } from '../parse-options.ts'
import { type Fleet, fleetLines } from '../ui/fleet-lines.ts'
import { monitorLines } from '../ui/monitor-lines.ts'

interface Options {
  readonly metrics?: boolean
  readonly realTime?: boolean
  readonly interval: number
}

export const monitor: CliCommand = {
  configure(command, act) {
    command
      .option('--metrics', 'add throughput, failures, event lag and database size')
      .option('--real-time', 'show it again and again until Ctrl-C')
      .option('--interval <seconds>', 'pause with --real-time', wholeNumber, 2)
      .action(act(run))
  },
}

async function run(context: CliContext, options: Options): Promise<number> {
  const { out, interrupts } = context
  return withConnection(context, { work: false }, async ({ client, embedded }) => {
    if (embedded) out.note(out.colors.dim('no server runs on this data folder: agents are those of its last one'))
    const look = () => readAll(client, interrupts.signal)
    if (!options.realTime) {
      tell(context, await look(), options)
      return 0
    }
    try {
      for (;;) {
        const figures = await look()
        // Home, then clear what is below: no flicker, and the scroll-back stays.
        if (out.isTerminal) out.stdout.write('\u001b[H\u001b[J')
        tell(context, figures, options)
        await delay(options.interval * 1_000, undefined, { signal: interrupts.signal })
      }
    } catch (error) {
      // To watch until told to stop is what was asked for.
      if (interrupts.signal.aborted && (error instanceof Interrupted || (error as Error).name === 'AbortError'))
        return 0
      throw error
    }
  })
}

async function readAll(client: Client, signal: AbortSignal): Promise<Monitor & Fleet> {
  const [figures, pools, schedules, findings] = await Promise.all([
    client.call(showMonitor, { signal }),
    client.call(listPools, { signal }),
    client.call(listSchedules, { signal }),
    client.call(listFindings, { query: { state: 'open', limit: 10 }, signal }),
  ])
  return { ...figures, pools: pools.items, schedules: schedules.items, findings: findings.items }
}

function tell({ out }: CliContext, figures: Monitor & Fleet, { metrics }: Options): void {
  out.document(figures)
  out.lines(
    ...monitorLines(figures, { metrics: metrics === true, colors: out.colors }),
    ...fleetLines(figures, out.colors),
  )
}
