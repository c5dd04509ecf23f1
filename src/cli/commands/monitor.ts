import { setTimeout as delay } from 'node:timers/promises'
import type { Client } from '../../client/client.ts'
import { isAppError } from '../../foundation/kernel/errors.ts'
import { listPools } from '../../orchestration/agents/pools-contract.ts'
import { listBudgets } from '../../orchestration/budgets/budgets-contract.ts'
import { listFindings } from '../../orchestration/liveness/liveness-contract.ts'
import { type Monitor, showMonitor } from '../../orchestration/monitor/monitor-contract.ts'
import { listQuotas } from '../../orchestration/quotas/quotas-contract.ts'
import { showQueue } from '../../orchestration/runs/queue-contract.ts'
import { explainScaling } from '../../orchestration/scaling/scaling-contract.ts'
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
  const [figures, pools, schedules, findings, waits, scaling, budgets, quotas] = await Promise.all([
    client.call(showMonitor, { signal }),
    client.call(listPools, { signal }),
    client.call(listSchedules, { signal }),
    client.call(listFindings, { query: { state: 'open', limit: 10 }, signal }),
    client.call(showQueue, { signal }),
    client.call(explainScaling, { query: {}, signal }),
    ifAllowed(client.call(listBudgets, { signal })),
    ifAllowed(client.call(listQuotas, { signal })),
  ])
  return {
    ...{ ...figures, pools: pools.items, schedules: schedules.items, findings: findings.items },
    waits: { reasons: waits.reasons, unserved: waits.unserved },
    scaling: scaling.items.flatMap(({ policy, last }) => (policy === null || last === null ? [] : [last])),
    ...{ budgets: budgets.items, quotas: quotas.items },
  }
}

/** What is spent is not for everybody who may watch. */
async function ifAllowed<T>(
  answer: Promise<{ readonly items: readonly T[] }>,
): Promise<{ readonly items: readonly T[] }> {
  try {
    return await answer
  } catch (error) {
    if (isAppError(error) && error.kind === 'forbidden') return { items: [] }
    throw error
  }
}

function tell({ out }: CliContext, figures: Monitor & Fleet, { metrics }: Options): void {
  out.document(figures)
  out.lines(
    ...monitorLines(figures, { metrics: metrics === true, colors: out.colors }),
    ...fleetLines(figures, out.colors),
  )
}
