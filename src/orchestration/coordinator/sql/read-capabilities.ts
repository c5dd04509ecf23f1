import type { TenantId } from '../../../foundation/kernel/ids.ts'
import type { ReadTx } from '../../../foundation/platform/database/database.ts'
import { sql } from '../../../foundation/platform/database/sql.ts'

export interface AgentCapabilities {
  readonly id: string
  /** Revision of the registration. */
  readonly rev: number
  readonly capabilities: readonly string[]
}

export async function readCapabilities(
  tx: ReadTx,
  tenant: TenantId,
  ids: readonly string[],
): Promise<readonly AgentCapabilities[]> {
  return tx.query<AgentCapabilities>(sql`
    select id, rev, capabilities from agents where tenant_id = ${tenant} and id = any (${ids}::text[])`)
}
