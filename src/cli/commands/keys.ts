import { Option } from 'commander'
import { parseDuration } from '../../foundation/kernel/units.ts'
import {
  createKeyEndpoint,
  type KeyView,
  keyStateSchema,
  listKeys,
  type NewKeyView,
  revokeKey,
  rotateKey,
} from '../../security/authn/keys-contract.ts'
import { type Role, roleSchema } from '../../security/authz/roles-contract.ts'
import type { CliCommand, CliContext } from '../command.ts'
import { withConnection } from '../connect.ts'
import { oneLine, table } from '../text.ts'

interface CreateOptions {
  readonly tenant?: string
  readonly role: Role
  readonly scope?: readonly string[]
  readonly member?: string
  readonly network?: readonly string[]
  readonly expires: string
  readonly platform?: boolean
}

const many = (value: string, before: readonly string[] = []) => [...before, value]

export const keys: CliCommand = {
  configure(command, act) {
    command
      .command('list', { isDefault: true })
      .description('list keys, newest first')
      .addOption(new Option('--state <state>', 'only those in this state').choices(keyStateSchema.options))
      .option('--tenant <id>', 'of this tenant')
      .action(act(list))
    command
      .command('create')
      .description('make a key; it is shown this once')
      .argument('<name>', 'who or what it is for')
      .addOption(new Option('--role <role>', 'what it may do').choices(roleSchema.options).default('viewer'))
      .option('--scope <permission>', 'only this, such as runs:read or runs:*; may be repeated', many)
      .option('--member <id>', 'the member it belongs to, whose role it stays below')
      .option('--network <address>', 'only from this address or range; may be repeated', many)
      .option('--expires <time>', 'how long it is valid: 12h, 90d, or never', '365d')
      .option('--platform', 'may also administer tenants, and act for any of them')
      .option('--tenant <id>', 'of this tenant')
      .action(act(create))
    command
      .command('rotate')
      .description('make a successor with the same rights; the old key goes on for a while')
      .argument('<key>', 'its id')
      .option('--overlap <time>', 'for which both are valid', '24h')
      .option('--tenant <id>', 'of this tenant')
      .action(act(rotate))
    command
      .command('revoke')
      .description('end a key at once')
      .argument('<key>', 'its id')
      .option('--tenant <id>', 'of this tenant')
      .action(act(revoke))
  },
}

async function list(
  context: CliContext,
  { state, tenant }: { state?: KeyView['state']; tenant?: string },
): Promise<void> {
  const { out } = context
  await withConnection(context, { work: false, tenant }, async ({ client }) => {
    const { items } = await client.call(listKeys, { query: { state, limit: 1_000 } })
    for (const item of items) out.document(item)
    if (items.length === 0) out.lines('no keys; make one: leanvibe keys create NAME --role operator')
    out.lines(...table(items.map(rowOf)))
  })
}

function rowOf(key: KeyView): string[] {
  const until = key.expiresAt === null ? 'for ever' : `until ${key.expiresAt.slice(0, 10)}`
  const used = key.lastUsedAt === null ? 'never used' : `used ${key.lastUsedAt.slice(0, 16).replace('T', ' ')}`
  return [key.id, `${key.prefix}_…`, key.role, key.state, until, used, oneLine(key.name, 40)]
}

async function create(context: CliContext, name: string, options: CreateOptions): Promise<void> {
  const { tenant, role, scope, member, network, expires, platform } = options
  await withConnection(context, { work: false, tenant }, async ({ client }) => {
    const expiresIn = expires === 'never' ? null : secondsOf(expires)
    const body = {
      name,
      role,
      scopes: scope?.slice(),
      memberId: member,
      networks: network?.slice(),
      platform,
      expiresIn,
    }
    tellNew(context, await client.call(createKeyEndpoint, { body }))
  })
}

async function rotate(context: CliContext, id: string, options: { overlap: string; tenant?: string }): Promise<void> {
  await withConnection(context, { work: false, tenant: options.tenant }, async ({ client }) => {
    tellNew(context, await client.call(rotateKey, { params: { id }, body: { overlap: secondsOf(options.overlap) } }))
  })
}

async function revoke(context: CliContext, id: string, { tenant }: { tenant?: string }): Promise<void> {
  const { out } = context
  await withConnection(context, { work: false, tenant }, async ({ client }) => {
    const key = await client.call(revokeKey, { params: { id } })
    out.document(key)
    out.lines(`${out.colors.green('✔')} ${key.id} is ${key.state}`)
  })
}

function tellNew({ out }: CliContext, made: NewKeyView): void {
  out.document(made)
  out.lines(
    made.key,
    `${out.colors.green('✔')} ${made.id}, ${made.role}${made.expiresAt === null ? '' : `, until ${made.expiresAt.slice(0, 10)}`}; the key is shown this once`,
  )
}

function secondsOf(text: string): number {
  return Math.floor(parseDuration(text) / 1_000)
}
