import {
  ackGroup,
  createGroup,
  listGroups,
  pullGroup,
  removeGroup,
  seekGroup,
} from '../../external-api/streams/streams-contract.ts'
import { cliErrors } from '../cli-errors.ts'
import type { CliContext } from '../command.ts'
import { withConnection } from '../connect.ts'
import { table } from '../text.ts'
import { filterOf, type StreamingOptions, tellEvent } from './streaming-options.ts'

export async function groups(context: CliContext): Promise<number> {
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

export async function makeGroup(context: CliContext, options: StreamingOptions): Promise<number> {
  const body = { name: groupOf(options), filter: filterOf(options), from: options.from }
  return withConnection(context, { work: false }, async ({ client }) => {
    const group = await client.call(createGroup, { body })
    context.out.document(group)
    context.out.lines(`${group.name} begins at ${group.cursor}`)
    return 0
  })
}

/** Takes events as a member of a group and acknowledges what it has shown. */
export async function pull(context: CliContext, options: StreamingOptions): Promise<number> {
  const params = { name: groupOf(options) }
  return withConnection(context, { work: false }, async ({ client }) => {
    const { events } = await client.call(pullGroup, { params, body: { member: 'cli', max: options.limit ?? 100 } })
    for (const { event } of events) tellEvent(context, event)
    if (events.length > 0) await client.call(ackGroup, { params, body: { tokens: events.map(({ token }) => token) } })
    else context.out.note('nothing waits for this group')
    return 0
  })
}

export async function seek(context: CliContext, options: StreamingOptions): Promise<number> {
  const params = { name: groupOf(options) }
  return withConnection(context, { work: false }, async ({ client }) => {
    const group = await client.call(seekGroup, { params, body: { from: options.from ?? 'now' } })
    context.out.document(group)
    context.out.lines(`${group.name} goes on from ${group.cursor}`)
    return 0
  })
}

export async function dropGroup(context: CliContext, options: StreamingOptions): Promise<number> {
  const name = groupOf(options)
  return withConnection(context, { work: false }, async ({ client }) => {
    await client.call(removeGroup, { params: { name } })
    context.out.document({ removed: name })
    context.out.lines(`${name} is removed`)
    return 0
  })
}

function groupOf({ action, group }: StreamingOptions): string {
  if (group !== undefined) return group
  throw cliErrors.usage(`--action ${action} needs --group`)
}
