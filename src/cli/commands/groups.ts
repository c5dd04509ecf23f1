import {
  addToMemberGroup,
  createMemberGroup,
  deleteMemberGroup,
  listMemberGroups,
  type MemberGroupView,
  removeFromMemberGroup,
  showMemberGroup,
} from '../../enterprise/tenants/groups-contract.ts'
import type { CliCommand, CliContext } from '../command.ts'
import { withConnection } from '../connect.ts'
import { oneLine, table } from '../text.ts'

interface OfTenant {
  readonly tenant?: string
}

export const groups: CliCommand = {
  configure(command, act) {
    command
      .command('list', { isDefault: true })
      .description('list the groups of a tenant')
      .option('--member <member>', 'only those that this member is in, by id or e-mail address')
      .option('--tenant <id>', 'of this tenant')
      .action(act(list))
    command
      .command('show')
      .description('show the members of a group')
      .argument('<group>')
      .option('--tenant <id>', 'of this tenant')
      .action(act(show))
    command
      .command('create')
      .description('make a group; approvals and pools name it as group:NAME')
      .argument('<group>')
      .option('--tenant <id>', 'of this tenant')
      .action(act(create))
    command
      .command('add')
      .description('add members to a group')
      .argument('<group>')
      .argument('<members...>', 'ids or e-mail addresses')
      .option('--tenant <id>', 'of this tenant')
      .action(
        act((context, group: string, members: string[], options: OfTenant) =>
          each(context, addToMemberGroup, group, members, options),
        ),
      )
    command
      .command('remove')
      .description('take members out of a group')
      .argument('<group>')
      .argument('<members...>', 'ids or e-mail addresses')
      .option('--tenant <id>', 'of this tenant')
      .action(
        act((context, group: string, members: string[], options: OfTenant) =>
          each(context, removeFromMemberGroup, group, members, options),
        ),
      )
    command
      .command('delete')
      .description('remove a group; its members stay members of the tenant')
      .argument('<group>')
      .option('--tenant <id>', 'of this tenant')
      .action(act(remove))
  },
}

async function list(context: CliContext, { member, tenant }: OfTenant & { member?: string }): Promise<void> {
  const { out } = context
  await withConnection(context, { work: false, tenant }, async ({ client }) => {
    const { items } = await client.call(listMemberGroups, { query: { member, limit: 1_000 } })
    for (const item of items) out.document(item)
    if (items.length === 0) out.lines('no groups; make one: leanvibe groups create NAME')
    out.lines(...table(items.map(({ name, members }) => [name, members.map(nameOf).join(', ')])))
  })
}

async function show(context: CliContext, group: string, { tenant }: OfTenant): Promise<void> {
  const { out } = context
  await withConnection(context, { work: false, tenant }, async ({ client }) => {
    const found = await client.call(showMemberGroup, { params: { group } })
    out.document(found)
    if (found.members.length === 0) out.lines(`${found.name} has no members`)
    out.lines(...table(found.members.map(({ id, name, email }) => [id, oneLine(name, 40), email ?? ''])))
  })
}

async function create(context: CliContext, name: string, { tenant }: OfTenant): Promise<void> {
  await withConnection(context, { work: false, tenant }, async ({ client }) => {
    tell(context, await client.call(createMemberGroup, { body: { name } }))
  })
}

async function each(
  context: CliContext,
  endpoint: typeof addToMemberGroup | typeof removeFromMemberGroup,
  group: string,
  members: readonly string[],
  { tenant }: OfTenant,
): Promise<void> {
  await withConnection(context, { work: false, tenant }, async ({ client }) => {
    let last: MemberGroupView | null = null
    for (const member of members)
      last = await client.call(endpoint as typeof addToMemberGroup, { params: { group, member } })
    if (last !== null) tell(context, last)
  })
}

async function remove(context: CliContext, group: string, { tenant }: OfTenant): Promise<void> {
  const { out } = context
  await withConnection(context, { work: false, tenant }, async ({ client }) => {
    const gone = await client.call(deleteMemberGroup, { params: { group } })
    out.document(gone)
    out.lines(`${out.colors.green('✔')} ${gone.name} is removed`)
  })
}

function tell({ out }: CliContext, group: MemberGroupView): void {
  out.document(group)
  const members = group.members.length === 0 ? 'nobody' : group.members.map(nameOf).join(', ')
  out.lines(`${out.colors.green('✔')} ${group.name}: ${members}`)
}

function nameOf({ id, name, email }: MemberGroupView['members'][number]): string {
  return `${oneLine(name, 40)} (${email ?? id})`
}
