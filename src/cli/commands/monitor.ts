import { setTimeout as delay } from 'node:timers/promises'
import { type Monitor, showMonitor } from '../../orchestration/monitor/monitor-contract.ts'
import type { CliCommand, CliContext } from '../command.ts'
import { withConnection } from '../connect.ts'
import { Interrupted } from '../interrupts.ts'
import { wholeNumber } from '../parse-options.ts'
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
    const look = () => client.call(showMonitor, { signal: interrupts.signal })
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

function tell({ out }: CliContext, figures: Monitor, { metrics }: Options): void {
  out.document(figures)
  out.lines(...monitorLines(figures, { metrics: metrics === true, colors: out.colors }))
}
