import { Option } from 'commander'
import {
  addMember,
  changeMember,
  listMembers,
  type MemberView,
  removeMember,
} from '../../enterprise/tenants/members-contract.ts'
import { type Role, roleSchema } from '../../security/authz/roles-contract.ts'
import type { CliCommand, CliContext } from '../command.ts'
import { withConnection } from '../connect.ts'
import { oneLine, table } from '../text.ts'

interface OfTenant {
  readonly tenant?: string
}

export const members: CliCommand = {
  configure(command, act) {
    const role = (required: boolean) => {
      const option = new Option('--role <role>', 'what they may do').choices(roleSchema.options)
      return required ? option.makeOptionMandatory() : option
    }
    command
      .command('list', { isDefault: true })
      .description('list the members of a tenant')
      .addOption(role(false))
      .option('--tenant <id>', 'of this tenant')
      .action(act(list))
    command
      .command('add')
      .description('add a member; it gets in by a key made with `keys create --member`')
      .argument('<name>')
      .option('--email <address>', 'their e-mail address')
      .addOption(role(true))
      .option('--tenant <id>', 'of this tenant')
      .action(act(add))
    command
      .command('change')
      .description('change the name or the role of a member')
      .argument('<member>')
      .option('--name <name>', 'the new name')
      .addOption(role(false))
      .option('--tenant <id>', 'of this tenant')
      .action(act(change))
    command
      .command('remove')
      .description('remove a member and end its keys')
      .argument('<member>')
      .option('--tenant <id>', 'of this tenant')
      .action(act(remove))
  },
}

async function list(context: CliContext, { role, tenant }: OfTenant & { role?: Role }): Promise<void> {
  const { out } = context
  await withConnection(context, { work: false, tenant }, async ({ client }) => {
    const { items } = await client.call(listMembers, { query: { role, limit: 1_000 } })
    for (const item of items) out.document(item)
    if (items.length === 0) out.lines('no members; add one: leanvibe members add NAME --role operator')
    out.lines(...table(items.map((one) => [one.id, one.role, oneLine(one.name, 40), one.email ?? ''])))
  })
}

async function add(
  context: CliContext,
  name: string,
  { email, role, tenant }: OfTenant & { email?: string; role: Role },
): Promise<void> {
  await withConnection(context, { work: false, tenant }, async ({ client }) => {
    tell(context, await client.call(addMember, { body: { name, email, role } }), 'is a member')
  })
}

async function change(
  context: CliContext,
  id: string,
  { name, role, tenant }: OfTenant & { name?: string; role?: Role },
): Promise<void> {
  await withConnection(context, { work: false, tenant }, async ({ client }) => {
    tell(context, await client.call(changeMember, { params: { id }, body: { name, role } }), 'is changed')
  })
}

async function remove(context: CliContext, id: string, { tenant }: OfTenant): Promise<void> {
  await withConnection(context, { work: false, tenant }, async ({ client }) => {
    tell(context, await client.call(removeMember, { params: { id } }), 'is no member any more')
  })
}

function tell({ out }: CliContext, member: MemberView, what: string): void {
  out.document(member)
  out.lines(`${out.colors.green('✔')} ${member.id} (${oneLine(member.name, 40)}, ${member.role}) ${what}`)
}
