import { listCursors, natsAccess, removeCursor } from '../../external-api/streams/streams-contract.ts'
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

/** What the administrator of a NATS server writes so that this tenant reads its own events. */
export async function showNatsAccess(context: CliContext): Promise<number> {
  return withConnection(context, { work: false }, async ({ client }) => {
    const found = await client.call(natsAccess)
    const { account, consumer, consumerMade, user } = found
    const list = (items: readonly object[]) => items.map((item) => `    ${JSON.stringify(item)}`)
    context.out.document(found)
    context.out.lines(
      '# An account of its own: the stream from any point kept, and live.',
      'accounts {',
      `  ${JSON.stringify(account.platformAccount)}: { exports: [  # the account of NATS_URL; add these to what it has`,
      ...list(account.exports),
      '  ] }',
      `  ${JSON.stringify(account.name)}: { users: [ { user: NAME, password: SECRET } ], imports: [`,
      ...list(account.imports),
      '  ] }',
      '}',
      `# Clients read the consumer ${consumer.name} of the stream ${consumer.stream}, with the API prefix ${account.apiPrefix}.`,
      ...(consumerMade ? [] : ['# It is not made yet: this server has no NATS_URL.']),
      '# Or a user of the platform’s account: live events alone.',
      `permissions { publish: { deny: ${JSON.stringify(user.publish.deny)} }, subscribe: { allow: ${JSON.stringify(user.subscribe.allow)} } }`,
    )
    return 0
  })
}
