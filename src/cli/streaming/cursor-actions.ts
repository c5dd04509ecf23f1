import { listCursors, natsPermissions, removeCursor } from '../../external-api/streams/streams-contract.ts'
import { cliErrors } from '../cli-errors.ts'
import type { CliContext } from '../command.ts'
import { withConnection } from '../connect.ts'
import { table } from '../text.ts'
import type { StreamingOptions } from './streaming-options.ts'

/** Who reads the log durably, and who keeps old events from being dropped. */
export async function cursors(context: CliContext): Promise<number> {
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

export async function dropCursor(context: CliContext, { cursor, force = false }: StreamingOptions): Promise<number> {
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
export async function permissions(context: CliContext): Promise<number> {
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
