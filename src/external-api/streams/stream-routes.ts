import type { z } from 'zod'
import { AppError } from '../../foundation/kernel/errors.ts'
import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { Database } from '../../foundation/platform/database/database.ts'
import { EncodedEvents } from '../../foundation/platform/http/event-stream.ts'
import type { Principal } from '../../foundation/platform/http/principal.ts'
import { type Route, route } from '../../foundation/platform/http/route.ts'
import { headPosition } from '../../foundation/runtime/cursors.ts'
import { appendEvents, type LogPosition, readEvents } from '../../foundation/runtime/event-log.ts'
import { toCloudEvent } from './cloud-event-contract.ts'
import type { EncodedBatches } from './encoded-batches.ts'
import type { EventFeed } from './event-feed.ts'
import { isCustomType } from './event-types-contract.ts'
import { openMember } from './group-member.ts'
import type { GroupsService } from './groups-service.ts'
import { startOf } from './start-position.ts'
import type { StreamFigures } from './stream-figures.ts'
import { filterKey, streamFilter } from './stream-filter.ts'
import type { StreamGate } from './stream-gate.ts'
import { type EventSocket, refuseUpgrade, type SocketOptions, type SocketTask, serveSocket } from './stream-socket.ts'
import { type GroupFilter, publishEvent, replayStream, streamSocket, tailStream } from './streams-contract.ts'
import { streamErrors } from './streams-errors.ts'

export interface StreamRoutesOptions {
  readonly database: Database
  readonly feed: EventFeed
  readonly gate: StreamGate
  readonly groups: GroupsService
  readonly encoded: EncodedBatches
  readonly figures: StreamFigures
  readonly socket: SocketOptions
  /** Called after a commit that appended events. */
  readonly onCommit: () => void
}

/** The event log to clients: as it grows, as it was, and what they add to it. */
export function streamRoutes(options: StreamRoutesOptions): Route[] {
  const { database, figures, gate } = options
  return [
    route({
      ...tailStream,
      permission: 'events:read',
      handle: async ({ query, principal, signal, lastEventId }) => {
        const { from: asked, ...filter } = query
        const open = await gate.pass(principal.tenant, signal)
        const from = await startOf(database, lastEventId ?? asked ?? 'now')
        return tail(options, principal.tenant, filter, from, open)
      },
    }),
    route({
      ...streamSocket,
      permission: 'events:read',
      handle: async (request) => {
        const { requestId } = request
        const upgrade = request.upgrade!
        let task: Omit<SocketTask, 'requestId'>
        let signal: AbortSignal
        try {
          signal = await gate.pass(request.principal.tenant, request.signal)
          task = await socketTask(options, request)
        } catch (error) {
          return refuseUpgrade(upgrade, error, requestId)
        }
        const serve = async (socket: EventSocket) => {
          figures.subscribers += 1
          try {
            await task.serve(socket)
          } finally {
            figures.subscribers -= 1
          }
        }
        await serveSocket(upgrade, signal, options.socket, { serve, answer: task.answer, requestId })
      },
    }),
    route({
      ...replayStream,
      permission: 'events:read',
      handle: async ({ query, principal, signal }) => {
        const { from: asked, ...filter } = query
        await gate.pass(principal.tenant, signal)
        const from = await startOf(database, asked)
        const until = await database.asSystem('streams').read(headPosition)
        return replay(database, principal.tenant, filter, from, until, signal)
      },
    }),
    route({
      ...publishEvent,
      permission: 'events:write',
      handle: async ({ body, principal, requestId }) => {
        const { tenant } = principal
        const { type, run = null, data } = body
        if (!isCustomType(type))
          throw streamErrors['stream-type-reserved'](`${JSON.stringify(type)} cannot be published`)
        const id = body.subject ?? requestId
        const subject = { kind: type.slice(0, type.indexOf('.')), id, rev: 1 }
        await database.forTenant(tenant).write(async (tx) => {
          await appendEvents(tx, [{ tenant, type, subject, runId: run, at: database.clock.now(), data: data as never }])
          tx.afterCommit(options.onCommit)
        })
        return { type, subject: `${subject.kind}/${id}` }
      },
    }),
  ]
}

type SocketQuery = z.output<NonNullable<(typeof streamSocket)['query']>>

/** What is done on a WebSocket: follow the log, or be a member of a group. Throws before the connection is taken over. */
async function socketTask(
  options: StreamRoutesOptions,
  request: { readonly query: SocketQuery; readonly principal: Principal; readonly lastEventId: string | null },
): Promise<Omit<SocketTask, 'requestId'>> {
  const { from: asked, group, member, window, ...filter } = request.query
  const { tenant } = request.principal
  if (group !== undefined) return openMember(options, tenant, { name: group, member, window })
  const from = await startOf(options.database, request.lastEventId ?? asked ?? 'now')
  return { serve: (socket) => serveTail(options, tenant, filter, from, socket), answer: refuseMessage }
}

async function tail(
  { feed, encoded, figures }: StreamRoutesOptions,
  tenant: TenantId,
  filter: GroupFilter,
  from: LogPosition,
  signal: AbortSignal,
): Promise<AsyncGenerator<EncodedEvents>> {
  const key = filterKey(tenant, filter)
  const batches = await feed.open({ from, matches: streamFilter(tenant, filter) }, signal)
  return (async function* () {
    figures.subscribers += 1
    try {
      for await (const batch of batches) {
        figures.eventsDelivered += batch.length
        yield new EncodedEvents(encoded.sse(key, batch, from.epoch))
      }
      // Stopped, not left: the client is told why.
      if (signal.reason instanceof AppError && signal.reason.code === 'streams-stopped') throw signal.reason
    } finally {
      figures.subscribers -= 1
    }
  })()
}

async function serveTail(
  { feed, encoded, figures }: StreamRoutesOptions,
  tenant: TenantId,
  filter: GroupFilter,
  from: LogPosition,
  socket: EventSocket,
): Promise<void> {
  const batches = await feed.open({ from, matches: streamFilter(tenant, filter) }, socket.signal)
  for await (const batch of batches) {
    for (const event of batch) {
      if (socket.signal.aborted) return
      await socket.send(encoded.json(event, from.epoch))
      socket.position = `${from.epoch}.${event.tick}.${event.seq}`
      figures.eventsDelivered += 1
    }
  }
}

async function* replay(
  database: Database,
  tenant: TenantId,
  filter: GroupFilter,
  from: LogPosition,
  until: LogPosition,
  signal: AbortSignal,
): AsyncGenerator<EncodedEvents> {
  const matches = streamFilter(tenant, filter)
  let position = from
  while (!signal.aborted) {
    const events = await database.asSystem('streams').read((tx) => readEvents(tx, position, 2_000))
    const before = events.filter((event) => event.tick <= until.tick)
    let lines = ''
    for (const event of before) if (matches(event)) lines += `${JSON.stringify(toCloudEvent(event, from.epoch))}\n`
    if (lines !== '') yield new EncodedEvents(Buffer.from(lines))
    const last = before.at(-1)
    if (last === undefined || before.length < events.length) return
    position = { epoch: from.epoch, tick: last.tick, seq: last.seq }
  }
}

async function refuseMessage(): Promise<void> {
  throw streamErrors['stream-message-invalid']('only members of a group acknowledge')
}
