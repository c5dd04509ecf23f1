import { type Command, Option } from 'commander'
import { formatDuration, parseDuration } from '../../foundation/kernel/units.ts'
import {
  type CreateSchedule,
  catchUpSchema,
  createSchedule,
  deleteSchedule,
  listSchedules,
  nextSlots,
  overlapSchema,
  pauseSchedule,
  resumeSchedule,
  type ScheduleView,
  type SlotView,
  showSchedule,
} from '../../orchestration/schedules/schedules-contract.ts'
import type { Act, CliCommand, CliContext } from '../command.ts'
import { withConnection } from '../connect.ts'
import { keyValue, wholeNumber } from '../parse-options.ts'
import { repositoryPath } from '../remote-server.ts'
import { oneLine, table } from '../text.ts'
import { typedInputs } from '../typed-inputs.ts'
import { findWanted } from '../workflow-source.ts'

export const schedules: CliCommand = {
  configure(command, act) {
    command
      .command('list', { isDefault: true })
      .description('list schedules with their next time and their last slot')
      .action(act(list))
    configureCreate(command, act)
    command
      .command('show')
      .description('show a schedule with its newest slots')
      .argument('<name>')
      .option('--limit <n>', 'how many slots', wholeNumber, 20)
      .action(act(show))
    command
      .command('next')
      .description('show the coming slots of a schedule')
      .argument('<name>')
      .option('--count <n>', 'how many', wholeNumber, 5)
      .action(act(next))
    for (const [word, endpoint, text] of [
      ['pause', pauseSchedule, 'start no more runs until it is resumed'],
      ['resume', resumeSchedule, 'go on with the next slot'],
    ] as const) {
      command
        .command(word)
        .description(text)
        .argument('<name>')
        .action(act((context, name: string) => change(context, endpoint, name)))
    }
    command
      .command('delete')
      .description('remove a schedule; the runs it started stay')
      .argument('<name>')
      .action(act(remove))
  },
}

function configureCreate(command: Command, act: Act): void {
  command
    .command('create')
    .description('start runs of a workflow by the clock')
    .argument('<name>')
    .requiredOption('--workflow <workflow>', 'a name, or a YAML file')
    .requiredOption('--cron <expression>', 'five fields such as "30 6 * * 1-5", or @hourly, @daily, @weekly')
    .option('--zone <zone>', 'time zone of the expression, such as Europe/Berlin', 'UTC')
    .option('--input <name=value>', 'an input of the workflow; may be repeated', keyValue)
    .option('--repo <folder>', 'the git repository to work on')
    .option('--parallel <n>', 'most tasks of one run at a time', wholeNumber)
    .addOption(
      new Option('--catch-up <policy>', 'slots that passed while nothing ran')
        .choices(catchUpSchema.options)
        .default('skip'),
    )
    .option('--catch-up-window <time>', 'how far back slots are made up for', '1d')
    .addOption(
      new Option('--overlap <policy>', 'while a former run is open').choices(overlapSchema.options).default('skip'),
    )
    .option('--jitter <time>', 'start each slot up to this much later')
    .action(act(create))
}

interface CreateOptions {
  readonly workflow: string
  readonly cron: string
  readonly zone: string
  readonly input?: Readonly<Record<string, string>>
  readonly repo?: string
  readonly parallel?: number
  readonly catchUp: NonNullable<CreateSchedule['catchUp']>
  readonly catchUpWindow: string
  readonly overlap: NonNullable<CreateSchedule['overlap']>
  readonly jitter?: string
}

async function create(context: CliContext, name: string, options: CreateOptions): Promise<void> {
  await withConnection(context, { work: false }, async (connection) => {
    const wanted = await findWanted(options.workflow, { cwd: context.cwd, config: connection.loaded.config })
    const body: CreateSchedule = {
      name,
      ...('source' in wanted ? { source: wanted.source } : { workflow: wanted.name }),
      inputs: (await typedInputs(connection, wanted, options.input)) as Record<string, never>,
      ...(options.repo === undefined ? {} : { repo: repositoryPath(context, options.repo) }),
      ...(options.parallel === undefined ? {} : { parallel: options.parallel }),
      cron: options.cron,
      timeZone: options.zone,
      catchUp: options.catchUp,
      catchUpWindowMs: parseDuration(options.catchUpWindow),
      overlap: options.overlap,
      jitterMs: options.jitter === undefined ? 0 : parseDuration(options.jitter),
    }
    tell(context, await connection.client.call(createSchedule, { body }))
    if (connection.embedded) {
      const { out } = context
      out.note(`${out.colors.cyan('next')}  leanvibe serve   schedules start runs while a server is up`)
    }
  })
}

async function list(context: CliContext): Promise<void> {
  const { out } = context
  await withConnection(context, { work: false }, async ({ client }) => {
    const { items } = await client.call(listSchedules)
    for (const item of items) out.document(item)
    if (items.length === 0)
      out.lines('no schedules yet; make one: leanvibe schedules create NAME --workflow W --cron "@daily"')
    else out.lines(...table(items.map(cells)))
  })
}

async function show(context: CliContext, name: string, { limit }: { limit: number }): Promise<void> {
  const { out } = context
  await withConnection(context, { work: false }, async ({ client }) => {
    const answer = await client.call(showSchedule, { params: { name }, query: { limit } })
    out.document(answer)
    const { schedule, slots } = answer
    out.lines(
      cells(schedule).join('  '),
      `  catch up ${schedule.catchUp} (${formatDuration(schedule.catchUpWindowMs)}), overlap ${schedule.overlap}, jitter ${formatDuration(schedule.jitterMs)}`,
      ...table(slots.map((slot) => ['', ...slotCells(slot)])),
    )
  })
}

async function next(context: CliContext, name: string, { count }: { count: number }): Promise<void> {
  const { out } = context
  await withConnection(context, { work: false }, async ({ client }) => {
    const { items } = await client.call(nextSlots, { params: { name }, query: { limit: count } })
    for (const item of items) out.document(item)
    out.lines(...items.map(({ startsAt }) => startsAt))
    const { schedule } = await client.call(showSchedule, { params: { name } })
    if (schedule.state === 'paused') out.note(`${name} is paused: none of these starts a run until it is resumed`)
  })
}

async function change(context: CliContext, endpoint: typeof pauseSchedule, name: string): Promise<void> {
  await withConnection(context, { work: false }, async ({ client }) => {
    tell(context, await client.call(endpoint, { params: { name } }))
  })
}

async function remove(context: CliContext, name: string): Promise<void> {
  const { out } = context
  await withConnection(context, { work: false }, async ({ client }) => {
    const answer = await client.call(deleteSchedule, { params: { name } })
    out.document(answer)
    out.lines(`${out.colors.green('✔')} ${answer.name} is deleted`)
  })
}

function tell({ out }: CliContext, schedule: ScheduleView): void {
  out.document(schedule)
  out.lines(`${out.colors.green('✔')} ${cells(schedule).join('  ')}`)
}

function cells(schedule: ScheduleView): string[] {
  const { nextAt, lastSlot } = schedule
  return [
    schedule.name,
    schedule.state,
    oneLine(schedule.workflow, 40),
    `${schedule.cron} ${schedule.timeZone}`,
    nextAt === null ? 'no next time' : `next ${nextAt}`,
    lastSlot === null ? '' : `last ${slotCells(lastSlot).slice(1).join(' ')}`,
  ]
}

function slotCells(slot: SlotView): string[] {
  return [slot.slotAt, slot.runState ?? slot.state, slot.runId ?? '', oneLine(slot.reason ?? '', 80)]
}
