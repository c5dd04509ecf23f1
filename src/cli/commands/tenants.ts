import { Option } from 'commander'
import { type TenantState, tenantStateSchema } from '../../enterprise/tenants/tenant-states-contract.ts'
import {
  createTenant,
  deleteTenant,
  listTenants,
  resumeTenant,
  showTenant,
  suspendTenant,
  type TenantView,
} from '../../enterprise/tenants/tenants-contract.ts'
import type { CliCommand, CliContext } from '../command.ts'
import { withConnection } from '../connect.ts'
import { usageError } from '../failure.ts'
import { oneLine, table } from '../text.ts'

export const tenants: CliCommand = {
  configure(command, act) {
    command
      .command('list', { isDefault: true })
      .description('list tenants, newest first')
      .addOption(new Option('--state <state>', 'only those in this state').choices(tenantStateSchema.options))
      .action(act(list))
    command
      .command('create')
      .description('make a tenant, and the key of its first owner')
      .argument('<id>')
      .option('--name <name>', 'what people call it')
      .action(act(create))
    command.command('show').description('show a tenant').argument('<id>').action(act(show))
    command
      .command('suspend')
      .description('let nobody of a tenant in, and pause its runs')
      .argument('<id>')
      .option('--reason <text>', 'kept with the tenant')
      .action(act(suspend))
    command.command('resume').description('let a suspended tenant in again').argument('<id>').action(act(resume))
    command
      .command('delete')
      .description('end the runs of a tenant and remove all that it has; there is no way back')
      .argument('<id>')
      .option('--reason <text>', 'kept with the tenant')
      .option('--yes', 'it is meant')
      .action(act(remove))
  },
}

async function list(context: CliContext, { state }: { state?: TenantState }): Promise<void> {
  const { out } = context
  await withConnection(context, { work: false }, async ({ client }) => {
    const { items } = await client.call(listTenants, { query: { state, limit: 1_000 } })
    for (const item of items) out.document(item)
    out.lines(...table(items.map((item) => [item.id, item.state, oneLine(item.name, 40), item.createdAt.slice(0, 10)])))
  })
}

async function create(context: CliContext, id: string, { name }: { name?: string }): Promise<void> {
  const { out } = context
  await withConnection(context, { work: false }, async ({ client }) => {
    const made = await client.call(createTenant, { body: { id, name } })
    out.document(made)
    out.lines(
      `${out.colors.green('✔')} ${made.tenant.id} is ${made.tenant.state}`,
      `owner key  ${made.ownerKey.key}`,
      '           shown this once; it may do everything within the tenant',
    )
  })
}

async function show(context: CliContext, id: string): Promise<void> {
  await withConnection(context, { work: false }, async ({ client }) => {
    tell(context, await client.call(showTenant, { params: { id } }))
  })
}

async function suspend(context: CliContext, id: string, { reason }: { reason?: string }): Promise<void> {
  await withConnection(context, { work: false }, async ({ client }) => {
    tell(context, await client.call(suspendTenant, { params: { id }, body: { reason } }))
  })
}

async function resume(context: CliContext, id: string): Promise<void> {
  await withConnection(context, { work: false }, async ({ client }) => {
    tell(context, await client.call(resumeTenant, { params: { id } }))
  })
}

async function remove(context: CliContext, id: string, options: { reason?: string; yes?: boolean }): Promise<void> {
  if (options.yes !== true)
    throw usageError(`everything of ${id} would be removed for good: add --yes if that is meant`)
  const { reason } = options
  await withConnection(context, {}, async ({ client, embedded }) => {
    let tenant = await client.call(deleteTenant, { params: { id }, body: { reason } })
    // Where this process is the platform, it stays until the work it has begun is done.
    while (embedded && tenant.state === 'deleting') {
      context.interrupts.signal.throwIfAborted()
      await new Promise((resolve) => setTimeout(resolve, 200))
      tenant = await client.call(showTenant, { params: { id } })
    }
    tell(context, tenant)
  })
}

function tell({ out }: CliContext, tenant: TenantView): void {
  out.document(tenant)
  out.lines(
    `${out.colors.green('✔')} ${tenant.id} is ${tenant.state}${tenant.reason ? `: ${oneLine(tenant.reason)}` : ''}`,
  )
  if (tenant.purge === null) return
  const { tables, blobs } = tenant.purge
  const removed = Object.values(tables).reduce((sum, one) => sum + one.removed, 0)
  out.lines(
    `  ${removed} rows of ${Object.keys(tables).length} tables and ${blobs.removed} contents removed; counted at ${tenant.purge.at}: none left`,
  )
}
