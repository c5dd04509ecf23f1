import type { TenantId } from '../../../foundation/kernel/ids.ts'
import type { ReadTx, Tx } from '../../../foundation/platform/database/database.ts'
import { sql } from '../../../foundation/platform/database/sql.ts'

export interface TurnKey {
  readonly tenant: TenantId
  readonly pool: string
  readonly strategy: string
}

export interface StampedTurn extends TurnKey {
  /** Who wrote it, and when of all times they did. */
  readonly stamp: string
  readonly state: unknown
}

export async function readTurns(tx: ReadTx, keys: readonly TurnKey[]): Promise<readonly StampedTurn[]> {
  return tx.query(sql`
    select t.tenant_id as tenant, t.pool, t.strategy, t.stamp, t.state
    from unnest(${keys.map((key) => key.tenant)}::text[], ${keys.map((key) => key.pool)}::text[],
      ${keys.map((key) => key.strategy)}::text[]) as i(tenant_id, pool, strategy)
    join pool_turns t on t.tenant_id = i.tenant_id and t.pool = i.pool and t.strategy = i.strategy`)
}

/**
 * Writes them on the way. Where a transaction beside this one has written the same turn and has not ended, nothing is
 * written, so that nobody waits here: whoever of the process comes next writes what all of them did.
 */
export function postTurns(tx: Tx, turns: readonly StampedTurn[]): void {
  tx.post(sql`
    insert into pool_turns as t (tenant_id, pool, strategy, stamp, state)
    select i.* from unnest(${turns.map((turn) => turn.tenant)}::text[], ${turns.map((turn) => turn.pool)}::text[],
      ${turns.map((turn) => turn.strategy)}::text[], ${turns.map((turn) => turn.stamp)}::text[],
      ${turns.map((turn) => JSON.stringify(turn.state))}::jsonb[]) as i(tenant_id, pool, strategy, stamp, state)
    where pg_try_advisory_xact_lock(hashtextextended(i.tenant_id || '/' || i.pool || '/' || i.strategy, 3))
    on conflict (tenant_id, pool, strategy) do update set stamp = excluded.stamp, state = excluded.state`)
}
