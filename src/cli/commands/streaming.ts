import { Option } from 'commander'
import type { CloudEvent } from '../../external-api/streams/cloud-event-contract.ts'
import {
  ackGroup,
  createGroup,
  listCursors,
  listGroups,
  natsPermissions,
  publishEvent,
  pullGroup,
  removeCursor,
  removeGroup,
  replayStream,
  type StreamStatus,
  seekGroup,
  showStream,
  startStreams,
  stopStreams,
  tailStream,
} from '../../external-api/streams/streams-contract.ts'
import { startInBackground } from '../background-server.ts'
import { cliErrors } from '../cli-errors.ts'
import type { CliCommand, CliContext } from '../command.ts'
import { isServed, withConnection } from '../connect.ts'
import { wholeNumber } from '../parse-options.ts'
import { oneLine, table } from '../text.ts'

interface Options {
  readonly action: string
  readonly port?: number
  readonly types?: string
  readonly run?: string
  readonly agent?: string
  readonly subject?: string
  readonly from?: string
  readonly limit?: number
  readonly type: string
  readonly payload?: string
  readonly publishTest?: boolean
  readonly group?: string
  readonly cursor?: string
  readonly force?: boolean
}

type Action = (context: CliContext, options: Options) => Promise<number>

const actions: Readonly<Record<string, Action>> = {
  start,
  stop,
  status,
  tail,
  'publish-test': publishTest,
  replay,
  groups,
  'create-group': makeGroup,
  pull,
  seek,
  'remove-group': dropGroup,
  cursors,
  'remove-cursor': dropCursor,
  'nats-permissions': permissions,
}

export const streaming: CliCommand = {
  configure(command, act) {
    command
      .addOption(new Option('--action <action>', 'what to do').choices(Object.keys(actions)).default('status'))
      .option('--port <n>', 'start: port of the server, where none runs (default: a free one)', wholeNumber)
      .option('--types <types>', 'tail, replay, create-group: for example run.*,task.failed')
      .option('--run <run>', 'tail, replay, create-group: only of this run')
      .option('--agent <agent>', 'tail, replay, create-group: only of this agent')
      .option('--subject <subject>', 'tail, replay, create-group: for example task or task/tsk_1')
      .option('--from <place>', 'a cursor, a time, start or now')
      .option('--limit <n>', 'tail, replay, pull: end after so many', wholeNumber)
      .option('--type <type>', 'publish-test: type of the events', 'test.published')
      .option('--payload <json>', 'publish-test: what they carry')
      .option('--publish-test', 'the same as --action publish-test')
      .option('--group <name>', 'create-group, pull, seek, remove-group: the consumer group')
      .option('--cursor <name>', 'remove-cursor: the durable reader of the log')
      .option('--force', 'remove-cursor: also one that somebody reads by')
      .action(
        act((context, options: Options) =>
          actions[options.publishTest === true ? 'publish-test' : options.action]!(context, options),
        ),
      )
  },
}

async function start(context: CliContext, { port }: Options): Promise<number> {
  await startInBackground(context, port === undefined ? {} : { port })
  return withConnection(context, { work: false }, async ({ client }) => {
    tell(context, await client.call(startStreams), client.url)
    return 0
  })
}

async function stop(context: CliContext): Promise<number> {
  return withConnection(context, { work: false }, async ({ client, embedded }) => {
    tell(context, await client.call(stopStreams), embedded ? null : client.url)
    return 0
  })
}

async function status(context: CliContext): Promise<number> {
  const running = await isServed(context)
  return withConnection(context, { work: false }, async ({ client }) => {
    tell(context, await client.call(showStream), running ? client.url : null)
    return 0
  })
}

function tell({ out }: CliContext, figures: StreamStatus, url: string | null): void {
  out.document({ type: 'streaming', url, ...figures })
  const { relay } = figures
  out.lines(
    ...table([
      ['Status', figures.status],
      ['Stream Active', url === null ? 'no server runs (leanvibe streaming --action start)' : `yes, ${url}`],
      ['Fed From', figures.source + (relay === null ? '' : relay.connected ? ', connected' : ', not connected')],
      ['Consumers', `${figures.subscribers} streams, ${figures.groups} groups`],
      ['Events Delivered', String(figures.eventsDelivered)],
      ['Cursor', figures.cursor],
    ]),
  )
}

function filterOf({ types, run, agent, subject }: Options) {
  return { types, run, agent, subject }
}

/** Events as they come, until Ctrl-C or so many were shown. */
async function tail(context: CliContext, options: Options): Promise<number> {
  const { interrupts, out } = context
  return withConnection(context, { work: true }, async ({ client, embedded }) => {
    if (embedded) out.note(out.colors.dim('no server runs on this data folder: what comes is of this process alone'))
    const stop = new AbortController()
    const signal = AbortSignal.any([interrupts.signal, stop.signal])
    const query = { ...filterOf(options), from: options.from }
    let count = 0
    for await (const { data } of client.events(tailStream, { query, signal })) {
      tellEvent(context, data)
      count += 1
      if (count === options.limit) break
    }
    stop.abort()
    return 0
  })
}

/** What was recorded until now, from a place on. */
async function replay(context: CliContext, options: Options): Promise<number> {
  const { interrupts } = context
  return withConnection(context, { work: false }, async ({ client }) => {
    const query = { ...filterOf(options), from: options.from }
    let count = 0
    for await (const event of client.lines(replayStream, { query, signal: interrupts.signal })) {
      tellEvent(context, event)
      count += 1
      if (count === options.limit) break
    }
    if (count === 0) context.out.note('nothing is recorded from there on')
    return 0
  })
}

function tellEvent({ out }: CliContext, event: CloudEvent): void {
  out.document(event)
  const data = JSON.stringify(event.data)
  out.lines(
    `${out.colors.dim(event.time.slice(11, 23))}  ${oneLine(event.type, 60)}  ${oneLine(event.subject, 100)}  ${out.colors.dim(oneLine(data, 120))}`,
  )
}

/** Three events, as a sign of life for whoever listens. */
async function publishTest(context: CliContext, options: Options): Promise<number> {
  const { out } = context
  const data = options.payload === undefined ? null : parseData(options.payload)
  return withConnection(context, { work: false }, async ({ client }) => {
    for (let n = 1; n <= 3; n++) {
      const body = { type: options.type, data: (data ?? { number: n, message: 'a test of the stream' }) as never }
      const published = await client.call(publishEvent, { body })
      out.document(published)
    }
    out.lines(`3 events of type ${options.type} are published`)
    return 0
  })
}

function parseData(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw cliErrors.usage('--payload is not JSON', { cause })
  }
}

async function groups(context: CliContext): Promise<number> {
  const { out } = context
  return withConnection(context, { work: false }, async ({ client }) => {
    const { items } = await client.call(listGroups)
    for (const item of items) out.document(item)
    if (items.length === 0) out.lines('no consumer group yet; make one: leanvibe streaming --action create-group')
    else
      out.lines(
        ...table(
          items.map(({ name, leased, dead, cursor, filter }) => [
            name,
            `${leased} handed out`,
            `${dead} dead`,
            cursor,
            JSON.stringify(filter),
          ]),
        ),
      )
    return 0
  })
}

async function makeGroup(context: CliContext, options: Options): Promise<number> {
  const body = { name: groupOf(options), filter: filterOf(options), from: options.from }
  return withConnection(context, { work: false }, async ({ client }) => {
    const group = await client.call(createGroup, { body })
    context.out.document(group)
    context.out.lines(`${group.name} begins at ${group.cursor}`)
    return 0
  })
}

/** Takes events as a member of a group and acknowledges what it has shown. */
async function pull(context: CliContext, options: Options): Promise<number> {
  const params = { name: groupOf(options) }
  return withConnection(context, { work: false }, async ({ client }) => {
    const { events } = await client.call(pullGroup, { params, body: { member: 'cli', max: options.limit ?? 100 } })
    for (const { event } of events) tellEvent(context, event)
    if (events.length > 0) await client.call(ackGroup, { params, body: { tokens: events.map(({ token }) => token) } })
    else context.out.note('nothing waits for this group')
    return 0
  })
}

async function seek(context: CliContext, options: Options): Promise<number> {
  const params = { name: groupOf(options) }
  return withConnection(context, { work: false }, async ({ client }) => {
    const group = await client.call(seekGroup, { params, body: { from: options.from ?? 'now' } })
    context.out.document(group)
    context.out.lines(`${group.name} goes on from ${group.cursor}`)
    return 0
  })
}

async function dropGroup(context: CliContext, options: Options): Promise<number> {
  const name = groupOf(options)
  return withConnection(context, { work: false }, async ({ client }) => {
    await client.call(removeGroup, { params: { name } })
    context.out.document({ removed: name })
    context.out.lines(`${name} is removed`)
    return 0
  })
}

/** Who reads the log durably, and who keeps old events from being dropped. */
async function cursors(context: CliContext): Promise<number> {
  const { out } = context
  return withConnection(context, { work: false }, async ({ client }) => {
    const { items } = await client.call(listCursors)
    for (const item of items) out.document(item)
    if (items.length === 0) out.lines('nobody reads the log durably')
    else
      out.lines(
        ...table(
          items.map(({ name, cursor, movedAt, unreadSince, holdsBack, lost }) => [
            name,
            cursor,
            `moved ${movedAt}`,
            lost ? 'lost its place' : unreadSince === null ? 'has read all' : `unread since ${unreadSince}`,
            holdsBack ? 'holds old events back' : '',
          ]),
        ),
      )
    return 0
  })
}

async function dropCursor(context: CliContext, { cursor, force = false }: Options): Promise<number> {
  if (cursor === undefined) throw cliErrors.usage('--action remove-cursor needs --cursor')
  return withConnection(context, { work: false }, async ({ client }) => {
    const removed = await client.call(removeCursor, {
      params: { name: cursor },
      query: { force: force ? 'true' : 'false' },
    })
    context.out.document(removed)
    context.out.lines(`${cursor} is removed; what it had not read is no longer kept for it`)
    return 0
  })
}

/** What the administrator of a NATS server writes for a user of this tenant. */
async function permissions(context: CliContext): Promise<number> {
  return withConnection(context, { work: false }, async ({ client }) => {
    const found = await client.call(natsPermissions)
    context.out.document(found)
    context.out.lines(
      'permissions {',
      `  publish: ${JSON.stringify(found.publish)}`,
      `  subscribe: ${JSON.stringify(found.subscribe)}`,
      '}',
    )
    return 0
  })
}

function groupOf({ action, group }: Options): string {
  if (group !== undefined) return group
  throw cliErrors.usage(`--action ${action} needs --group`)
}
