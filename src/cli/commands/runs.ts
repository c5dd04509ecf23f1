import { Option } from 'commander'
import { showRunModels } from '../../external-api/models/models-contract.ts'
import { formatDuration } from '../../foundation/kernel/units.ts'
import { type FindingView, listFindings } from '../../orchestration/liveness/liveness-contract.ts'
import {
  cancelRun,
  cancelTaskOfRun,
  listRuns,
  pauseRun,
  resumeRun,
  retryRun,
  retryTaskOfRun,
  showRun,
} from '../../orchestration/runs/run-endpoints-contract.ts'
import { type RunView, runStateSchema } from '../../orchestration/runs/runs-contract.ts'
import { runToolCalls, runToolUse } from '../../orchestration/tool-calls/tool-calls-contract.ts'
import type { CliCommand, CliContext } from '../command.ts'
import { type Connection, withConnection } from '../connect.ts'
import { followRun } from '../follow-run.ts'
import { wholeNumber } from '../parse-options.ts'
import { performRun } from '../perform-run.ts'
import { printLogs } from '../print-logs.ts'
import { tellModels } from '../tell-models.ts'
import { tellRun } from '../tell-run.ts'
import { tellToolCalls, tellToolUse } from '../tell-tools.ts'
import { oneLine, table } from '../text.ts'
import { moodOf } from '../ui/run-tree.ts'
import { mark } from '../ui/symbols.ts'

export const runs: CliCommand = {
  configure(command, act) {
    command
      .command('list', { isDefault: true })
      .description('list runs, newest first')
      .addOption(new Option('--state <state>', 'only those in this state').choices(runStateSchema.options))
      .option('--limit <n>', 'how many', wholeNumber, 20)
      .action(act(list))
    command.command('show').description('show a run with its steps and artifacts').argument('<run>').action(act(show))
    command
      .command('cancel')
      .description('end a run, or one task of it: its processes are stopped, its finally steps still run')
      .argument('<run>')
      .option('--task <task>', 'only this task: its id, or its place, such as build or test[3]')
      .option('--reason <text>', 'kept with the run')
      .action(act(cancel))
    command
      .command('pause')
      .description('let tasks under way finish, start no more')
      .argument('<run>')
      .action(act(pause))
    command
      .command('resume')
      .description('let a paused run go on, and stay until it has ended')
      .argument('<run>')
      .option('--detach', 'leave it to a server in the background')
      .action(
        act((context, id: string, options: { detach?: boolean }) =>
          performRun(context, options, async ({ client }) => (await client.call(resumeRun, { params: { id } })).id),
        ),
      )
    command
      .command('logs')
      .description('print what the tasks of a run printed')
      .argument('<run>')
      .option('-f, --follow', 'stay until the run has ended')
      .option('--step <step>', 'only this step')
      .option('--task <task>', 'only this task')
      .action(act(printLogs))
    command
      .command('tools')
      .description('list the tool calls that agents have told of, the newest last')
      .argument('<run>')
      .option('--step <step>', 'only this step')
      .option('--task <task>', 'only this task')
      .option('--limit <n>', 'how many', wholeNumber, 50)
      .action(act(tools))
    command
      .command('retry')
      .description('start a new run that repeats part of an ended one, and stay until it has ended')
      .argument('<run>')
      .addOption(new Option('--from <step>', 'repeat this step and all that depends on it').conflicts('failed'))
      .addOption(
        new Option(
          '--task <task>',
          'repeat one task (its id, or test[3]) and what depends on it, nothing else',
        ).conflicts(['from', 'failed']),
      )
      .option('--failed', 'repeat what did not succeed, and all that depends on it (the default)')
      .option('--detach', 'leave it to a server in the background')
      .option('--out <folder>', 'where the results are copied to')
      .action(
        act((context, id: string, { from, task, ...options }: RetryOptions) =>
          performRun(context, options, async ({ client }) => {
            if (task !== undefined) return (await client.call(retryTaskOfRun, { params: { id, task } })).id
            const body = from === undefined ? { failed: true } : { from }
            return (await client.call(retryRun, { params: { id }, body })).id
          }),
        ),
      )
  },
}

async function list(context: CliContext, options: { state?: RunView['state']; limit: number }): Promise<void> {
  const { out } = context
  await withConnection(context, { work: false }, async ({ client }) => {
    const { items } = await client.call(listRuns, { query: options })
    for (const run of items) out.document(run)
    if (items.length === 0)
      out.lines(
        options.state === undefined
          ? 'no runs yet; start one: leanvibe orchestrate repo-checkup --repo .'
          : `no runs are ${options.state}`,
      )
    else
      out.lines(
        ...table(
          items.map((run) => [
            mark(moodOf(run.state), out.colors),
            run.id,
            oneLine(run.workflow, 40),
            run.state,
            when(run),
          ]),
        ),
      )
  })
}

function when(run: RunView): string {
  const started = run.createdAt.replace('T', ' ').slice(0, 19)
  if (run.startedAt === null || run.endedAt === null) return started
  return `${started}  ${formatDuration(Date.parse(run.endedAt) - Date.parse(run.startedAt))}`
}

async function show(context: CliContext, id: string): Promise<void> {
  await withConnection(context, { work: false }, async ({ client }) => {
    const detail = await client.call(showRun, { params: { id } })
    const models = await client.call(showRunModels, { params: { id } })
    const tools = await client.call(runToolUse, { params: { id } })
    const findings = detail.run.state === 'paused' ? await findingsOf(client, id) : []
    tellRun(context.out, {
      ...detail,
      ...(findings.length === 0 ? {} : { findings }),
      ...(models.items.length === 0 ? {} : { models }),
      ...(tools.items.length === 0 ? {} : { tools: tools.items }),
    })
    for (const finding of findings) {
      context.out.lines('', `  ${finding.detector}: ${oneLine(finding.explanation, 300)}`)
      context.out.lines(`  leanvibe liveness continue ${finding.id}, or cancel`)
    }
    tellModels(context.out, models)
    tellToolUse(context.out, tools.items)
  })
}

/** Who paused it, where nobody asked for that. */
async function findingsOf(client: Connection['client'], run: string): Promise<readonly FindingView[]> {
  const { items } = await client.call(listFindings, { query: { state: 'open', limit: 100 } })
  return items.filter((finding) => finding.runs.includes(run))
}

interface ToolsOptions {
  readonly step?: string
  readonly task?: string
  readonly limit: number
}

async function tools(context: CliContext, id: string, { limit, ...of }: ToolsOptions): Promise<void> {
  await withConnection(context, { work: false }, async ({ client }) => {
    // A run that is not there would otherwise look like one without tools.
    await client.call(showRun, { params: { id } })
    const { items } = await client.call(runToolCalls, { params: { id }, query: { ...of, limit } })
    tellToolCalls(context.out, items)
  })
}

interface RetryOptions {
  readonly from?: string
  readonly task?: string
  readonly detach?: boolean
  readonly out?: string
}

interface CancelOptions {
  readonly reason?: string
  readonly task?: string
}

async function cancel(context: CliContext, id: string, { task, ...options }: CancelOptions): Promise<number> {
  if (task !== undefined) return cancelTask(context, id, task, options)
  return withConnection(context, {}, async (connection) => {
    const { client, embedded } = connection
    const run = await client.call(cancelRun, { params: { id }, body: options })
    // Where this process is the platform, the run's finally steps need it until they are done.
    if (embedded && run.endedAt === null) await followRun(context, connection, { id, owns: false })
    else tellState(context, run)
    return 0
  })
}

async function cancelTask(context: CliContext, id: string, task: string, body: { reason?: string }): Promise<number> {
  return withConnection(context, { work: false }, async ({ client }) => {
    const run = await client.call(cancelTaskOfRun, { params: { id, task }, body })
    context.out.document(run)
    context.out.lines(`${task} of ${run.id} is cancelled, or ending; the run is ${run.state}`)
    return 0
  })
}

async function pause(context: CliContext, id: string): Promise<void> {
  await withConnection(context, { work: false }, async ({ client }) => {
    tellState(context, await client.call(pauseRun, { params: { id } }))
  })
}

function tellState({ out }: CliContext, run: RunView): void {
  out.document(run)
  out.lines(
    `${mark(moodOf(run.state), out.colors)} ${run.id} is ${run.endedAt === null && run.state === 'running' ? 'ending' : run.state}`,
  )
}
