import {
  explainScaling,
  type PoolSizeView,
  type ScalingExplanation,
  scalingHistory,
} from '../../orchestration/scaling/scaling-contract.ts'
import type { CliCommand, CliContext } from '../command.ts'
import { withConnection } from '../connect.ts'
import { wholeNumber } from '../parse-options.ts'
import { plural, table } from '../text.ts'

export const scaling: CliCommand = {
  configure(command, act) {
    command
      .command('history', { isDefault: true })
      .description('list changes of size, newest first')
      .argument('[pool]')
      .option('--limit <n>', 'how many', wholeNumber, 20)
      .action(act(history))
    command
      .command('explain')
      .description('tell why the last look changed a size, or did not')
      .argument('[pool]')
      .action(act(explain))
  },
}

async function history(context: CliContext, pool: string | undefined, { limit }: { limit: number }): Promise<void> {
  const { out } = context
  await withConnection(context, { work: false }, async ({ client }) => {
    const query = { limit, ...(pool === undefined ? {} : { pool }) }
    const { items } = await client.call(scalingHistory, { query })
    for (const item of items) out.document(item)
    if (items.length === 0) out.lines(`${pool === undefined ? 'no pool' : `no pool ${pool}`} has changed its size yet`)
    else
      out.lines(
        ...table(items.map((item) => [item.at, item.pool, `${item.from} → ${item.to}`, item.strategy, item.reason])),
      )
  })
}

async function explain(context: CliContext, pool: string | undefined): Promise<void> {
  const { out } = context
  await withConnection(context, { work: false }, async ({ client }) => {
    const { items } = await client.call(explainScaling, { query: pool === undefined ? {} : { pool } })
    for (const item of items) out.document(item)
    if (items.length === 0)
      out.lines('no pool has a policy; set one: leanvibe pools policy POOL --strategy target_tracking')
    for (const { pool: name, last, nextLookAt, size } of items) {
      out.lines(`${out.colors.bold(name)}  ${nextLookAt === null ? 'no policy' : `next look ${nextLookAt}`}`)
      out.lines(...(last === null ? ['  not looked at yet'] : explanationLines(last)), ...sizeLines(size))
    }
  })
}

function sizeLines({ desired, agents, notes, hosts }: PoolSizeView): string[] {
  const places = hosts.map(
    ({ host, agents: there, most }) => `${host} (${there === null ? `up to ${most}` : `${there} of ${most}`})`,
  )
  return [
    `  now: ${plural(agents, 'agent')}${desired === null ? '' : ` of ${desired} wanted`}; can be started on ${places.length === 0 ? 'no machine' : places.join(', ')}`,
    ...notes.map((note) => `  - ${note}`),
  ]
}

function explanationLines({ at, strategy, steps, signals }: ScalingExplanation): string[] {
  const { agents, queueDepth, waitMs, utilisation, throughput, throughputDrop, lowLoad } = signals
  return [
    `  ${at} ${strategy}: ${plural(agents, 'agent')} ${Math.round(utilisation * 100)} % in use, ${queueDepth} waiting, the oldest for ${Math.round(waitMs / 1_000)} s`,
    `  ${throughput.toFixed(2)} tasks/s${throughputDrop > 0 ? `, ${Math.round(throughputDrop * 100)} % less than before` : ''}${lowLoad ? ', low load' : ''}`,
    ...steps.map((step) => `  - ${step}`),
  ]
}
