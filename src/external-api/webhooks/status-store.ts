import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { ReadTx, Tx } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'

export interface WebhookFigures {
  readonly stopped: boolean
  readonly sources: number
  readonly active: number
  readonly paused: number
  readonly disabled: number
  readonly openReceipts: number
  readonly failedReceipts: number
  readonly activeDeliveries: number
  readonly deadDeliveries: number
}

/** What is told of all webhooks of a tenant at once. */
export async function readFigures(tx: ReadTx, tenant: TenantId): Promise<WebhookFigures> {
  const [row] = await tx.query<WebhookFigures>(sql`
    select
      exists (select from webhook_settings where tenant_id = ${tenant} and stopped_at is not null) as stopped,
      (select count(*)::int from webhook_sources where tenant_id = ${tenant}) as sources,
      (select count(*)::int from webhook_subscriptions where tenant_id = ${tenant} and state = 'active') as active,
      (select count(*)::int from webhook_subscriptions where tenant_id = ${tenant} and state = 'paused') as paused,
      (select count(*)::int from webhook_subscriptions where tenant_id = ${tenant} and state = 'disabled') as disabled,
      (select count(*)::int from webhook_receipts
        where tenant_id = ${tenant} and state in ('received', 'retrying')) as "openReceipts",
      (select count(*)::int from webhook_receipts where tenant_id = ${tenant} and state = 'failed') as "failedReceipts",
      (select count(*)::int from webhook_deliveries
        where tenant_id = ${tenant} and state in ('pending', 'sending', 'retrying')) as "activeDeliveries",
      (select count(*)::int from webhook_deliveries where tenant_id = ${tenant} and state = 'dead') as "deadDeliveries"`)
  return row!
}

export async function saveStopped(tx: Tx, tenant: TenantId, stoppedAt: Date | null, now: Date): Promise<void> {
  await tx.execute(sql`
    insert into webhook_settings (tenant_id, stopped_at, updated_at) values (${tenant}, ${stoppedAt}, ${now})
    on conflict (tenant_id) do update set stopped_at = excluded.stopped_at, updated_at = excluded.updated_at`)
}
