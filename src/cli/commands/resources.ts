import { type Dimension, dimensions } from '../../foundation/balancing/dimensions-contract.ts'
import {
  type Optimization,
  optimizeResources,
  type ResourcesView,
  showResources,
} from '../../orchestration/resources/resources-contract.ts'
import type { CliCommand, CliContext } from '../command.ts'
import { withConnection } from '../connect.ts'
import { wholeNumber } from '../parse-options.ts'
import { formatBytes, oneLine, plural, table } from '../text.ts'

export const resources: CliCommand = {
  configure(command, act) {
    command
      .command('show', { isDefault: true })
      .description('show what agents hand out, what leases hold of it, and what the machine has')
      .action(act(show))
    command
      .command('optimize')
      .description('compare what steps ask for with what their attempts used, and propose sizes')
      .option('--workflow <name>', 'only this workflow')
      .option('--days <n>', 'runs of the last days', wholeNumber, 7)
      .action(act(optimize))
  },
}

type Amounts = { readonly [name in Dimension]?: number | undefined }

async function show(context: CliContext): Promise<void> {
  await withConnection(context, { work: false }, async ({ client, embedded }) => {
    const view = await client.call(showResources, {})
    const { out } = context
    out.document(view)
    if (embedded) out.note(out.colors.dim('no server runs on this data folder: agents are those of its last one'))
    out.lines(
      ...table([
        ['', ...dimensions],
        ...(view.host === null ? [] : [['this machine', ...cells(view.host.utilisation, view.host.capacity)]]),
        ...view.runners.map(({ id, held, capacity }) => [oneLine(id, 40), ...heldCells(held, capacity)]),
        ...view.pools.map((pool) => [poolTitle(pool), ...heldCells(pool.held, pool.capacity)]),
      ]),
    )
  })
}

function poolTitle({ pool, agents, used, slots }: ResourcesView['pools'][number]): string {
  return `${oneLine(pool, 40)}: ${plural(agents, 'agent')}, ${used}/${plural(slots, 'slot')}`
}

/** `37 % of 4`. */
function cells(shares: Amounts, capacity: Amounts): string[] {
  return dimensions.map((name) => {
    const share = shares[name]
    const used = share === undefined ? 'unknown' : `${(share * 100).toFixed(0)} %`
    return capacity[name] === undefined ? used : `${used} of ${amount(name, capacity[name])}`
  })
}

/** `1 of 4`; where nothing bounds it, only what is held. */
function heldCells(held: Amounts, capacity: Amounts): string[] {
  return dimensions.map((name) => {
    const most = capacity[name]
    const text = amount(name, held[name] ?? 0)
    return most === undefined ? `${text} held` : `${text} of ${amount(name, most)} held`
  })
}

async function optimize(context: CliContext, options: { workflow?: string; days: number }): Promise<void> {
  const query = { days: options.days, ...(options.workflow === undefined ? {} : { workflow: options.workflow }) }
  await withConnection(context, { work: false }, async ({ client }) => {
    const { items, saving } = await client.call(optimizeResources, { query })
    const { out } = context
    for (const item of items) out.document(item)
    if (items.length === 0) {
      out.note(`no attempts in the last ${plural(options.days, 'day')}`)
      return
    }
    out.lines(...table([['step', 'attempts', 'asks for', 'p95', 'advice', 'proposal'], ...items.map(row)]))
    out.lines(
      '',
      `the proposals would have left free ${saving.coreHours.toFixed(2)} core hours, ` +
        `${saving.memoryGbHours.toFixed(2)} GB hours of memory and ${saving.diskGbHours.toFixed(2)} of disk`,
    )
  })
}

function row({ workflow, step, attempts, request, p95, proposal, advice }: Optimization): string[] {
  const changed = dimensions.filter((name) => proposal[name] !== request[name])
  const yaml = changed.map((name) => `${name}: ${inYaml(name, proposal[name])}`)
  return [
    oneLine(`${workflow}/${step}`, 60),
    attempts.toLocaleString('en-US'),
    dimensions.map((name) => amount(name, request[name])).join(', '),
    dimensions.map((name) => (p95[name] === undefined ? 'unknown' : amount(name, p95[name]))).join(', '),
    advice,
    changed.length === 0 ? '' : `resources: { ${yaml.join(', ')} }`,
  ]
}

/** As it stands in a workflow: cores and megabits are plain numbers. */
function inYaml(name: Dimension, value: number): string {
  if (name === 'cpu') return String(value)
  return name === 'network' ? String(value / 125_000) : sizeOf(value)
}

/** Proposals are whole megabytes. */
function sizeOf(bytes: number): string {
  const megabytes = Math.ceil(bytes / 2 ** 20)
  return megabytes % 1_024 === 0 ? `${megabytes / 1_024}GB` : `${megabytes}MB`
}

function amount(name: Dimension, value: number): string {
  if (name === 'cpu') return Number(value.toFixed(2)).toString()
  return name === 'network' ? `${formatBytes(value)}/s` : formatBytes(value)
}
