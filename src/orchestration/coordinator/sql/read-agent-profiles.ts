import type { TenantId } from '../../../foundation/kernel/ids.ts'
import type { JsonObject } from '../../../foundation/kernel/json.ts'
import type { ReadTx } from '../../../foundation/platform/database/database.ts'
import { sql } from '../../../foundation/platform/database/sql.ts'

export interface AgentRegistrationRow {
  readonly id: string
  /** Revision of the registration. */
  readonly rev: number
  readonly capabilities: readonly string[]
  readonly labels: JsonObject
}

export async function readAgentProfiles(
  tx: ReadTx,
  tenant: TenantId,
  ids: readonly string[],
): Promise<readonly AgentRegistrationRow[]> {
  return tx.query<AgentRegistrationRow>(sql`
    select id, rev, capabilities, labels from agents where tenant_id = ${tenant} and id = any (${ids}::text[])`)
}
