import { Option } from 'commander'
import {
  publishEvent,
  replayStream,
  type StreamStatus,
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
import { cursors, dropCursor, showNatsAccess } from '../streaming/cursor-actions.ts'
import { dropGroup, groups, makeGroup, pull, seek } from '../streaming/group-actions.ts'
import { filterOf, type StreamingOptions, tellEvent } from '../streaming/streaming-options.ts'
import { table } from '../text.ts'

type Action = (context: CliContext, options: StreamingOptions) => Promise<number>

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
  'nats-access': showNatsAccess,
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
        act((context, options: StreamingOptions) =>
          actions[options.publishTest === true ? 'publish-test' : options.action]!(context, options),
        ),
      )
  },
}

async function start(context: CliContext, { port }: StreamingOptions): Promise<number> {
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

/** Events as they come, until Ctrl-C or so many were shown. */
async function tail(context: CliContext, options: StreamingOptions): Promise<number> {
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
async function replay(context: CliContext, options: StreamingOptions): Promise<number> {
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

/** Three events, as a sign of life for whoever listens. */
async function publishTest(context: CliContext, options: StreamingOptions): Promise<number> {
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
