import {
  type CheckpointView,
  forkCheckpoint,
  listCheckpoints,
  makeCheckpoint,
  restoreCheckpoint,
} from '../../orchestration/checkpoints/checkpoints-contract.ts'
import type { CliCommand, CliContext } from '../command.ts'
import { withConnection } from '../connect.ts'
import { usageError } from '../failure.ts'
import { performRun } from '../perform-run.ts'
import { formatBytes, oneLine, table } from '../text.ts'

interface Options {
  readonly name?: string
  readonly run?: string
  readonly list?: boolean
  readonly restore?: string
  readonly fork?: string
  readonly from?: string
  readonly detach?: boolean
  readonly out?: string
}

export const checkpoint: CliCommand = {
  configure(command, act) {
    command
      .option('--name <name>', 'keep the state of a run under this name')
      .option('--run <run>', 'which run (default: the newest that has not ended); with --list: only its checkpoints')
      .option('--list', 'list checkpoints')
      .option('--restore <name>', 'start a new run from a checkpoint, and stay until it has ended')
      .option('--fork <name>', 'the same, but do again the step of --from and all that depends on it')
      .option('--from <step>', 'the step to do again (with --fork)')
      .option('--detach', 'leave the new run to a server in the background')
      .option('--out <folder>', 'where the results of the new run are copied to')
      .action(act(run))
  },
}

async function run(context: CliContext, options: Options): Promise<number> {
  const { list, restore, fork, name, from } = options
  const asked = [list === true ? '--list' : null, restore && '--restore', fork && '--fork', name && '--name'].filter(
    Boolean,
  )
  if (asked.length > 1) throw usageError(`${asked.join(' and ')} cannot be asked for together`)
  if (from !== undefined && fork === undefined) throw usageError('--from goes with --fork')
  if (restore !== undefined) {
    return performRun(
      context,
      options,
      async ({ client }) => (await client.call(restoreCheckpoint, { params: { id: restore } })).id,
    )
  }
  if (fork !== undefined) {
    const body = from === undefined ? {} : { from }
    return performRun(
      context,
      options,
      async ({ client }) => (await client.call(forkCheckpoint, { params: { id: fork }, body })).id,
    )
  }
  return list ? listAll(context, options.run) : make(context, options)
}

async function make(context: CliContext, { name, run: runId }: Options): Promise<number> {
  const { out } = context
  return withConnection(context, { work: false }, async ({ client }) => {
    const body = { ...(name === undefined ? {} : { name }), ...(runId === undefined ? {} : { runId }) }
    const made = await client.call(makeCheckpoint, { body })
    out.document(made)
    out.lines(
      `${out.colors.green('✔')} ${made.name} keeps ${made.steps.done} of ${made.steps.total} steps of ${made.runId}`,
    )
    return 0
  })
}

async function listAll(context: CliContext, runId: string | undefined): Promise<number> {
  const { out } = context
  return withConnection(context, { work: false }, async ({ client }) => {
    const { items } = await client.call(listCheckpoints, { query: runId === undefined ? {} : { run: runId } })
    for (const item of items) out.document(item)
    if (items.length === 0) out.lines('no checkpoints yet; make one: leanvibe checkpoint --name NAME')
    else out.lines(...table(items.map(cells)))
    return 0
  })
}

function cells(item: CheckpointView): string[] {
  const made = item.createdAt.replace('T', ' ').slice(0, 19)
  return [
    oneLine(item.name, 60),
    item.runId,
    `${item.steps.done}/${item.steps.total} steps`,
    formatBytes(item.bytes),
    item.reason,
    made,
  ]
}
