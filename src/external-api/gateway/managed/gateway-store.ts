import type { TenantId } from '../../../foundation/kernel/ids.ts'
import type { ReadTx, Tx } from '../../../foundation/platform/database/database.ts'
import { json, type Query, sql } from '../../../foundation/platform/database/sql.ts'
import type { GatewayRoute } from './gateway-route.ts'
import { type WriteGatewayRoute, writeGatewayRouteSchema } from './route-definition-contract.ts'

const columns: Query = sql`tenant_id, id, definition, rev, created_at, updated_at`

/** In the order of their names. */
export async function listRouteRows(tx: ReadTx, tenant: TenantId): Promise<GatewayRoute[]> {
  const { routes, broken } = await readRouteRows(tx, tenant)
  if (broken[0] !== undefined) throw broken[0].error
  return [...routes]
}

export interface RouteRows {
  readonly routes: readonly GatewayRoute[]
  /** Rows that this version cannot read. */
  readonly broken: readonly { readonly id: string; readonly error: unknown }[]
}

/** One row that cannot be read must not keep the others from their work. */
export async function readRouteRows(tx: ReadTx, tenant: TenantId): Promise<RouteRows> {
  const rows = await tx.query<RouteRow>(sql`
    select ${columns} from gateway_routes where tenant_id = ${tenant} order by name`)
  const routes: GatewayRoute[] = []
  const broken: { id: string; error: unknown }[] = []
  for (const row of rows) {
    try {
      routes.push(toRoute(row))
    } catch (error) {
      broken.push({ id: row.id, error })
    }
  }
  return { routes, broken }
}

/** Tenants with routes, or with a gateway that is stopped. In system scope. */
export async function listGatewayTenants(tx: ReadTx): Promise<TenantId[]> {
  const rows = await tx.query<{ tenant_id: TenantId }>(sql`
    select tenant_id from gateway_routes union select tenant_id from gateway_settings where stopped_at is not null`)
  return rows.map((row) => row.tenant_id)
}

export async function countRoutes(tx: ReadTx, tenant: TenantId): Promise<number> {
  const [row] = await tx.query<{ count: number }>(sql`
    select count(*)::int as count from gateway_routes where tenant_id = ${tenant}`)
  return row!.count
}

/** By id or by name. */
export async function findRoute(tx: ReadTx, tenant: TenantId, which: string): Promise<GatewayRoute | null> {
  const rows = await tx.query<RouteRow>(sql`
    select ${columns} from gateway_routes where tenant_id = ${tenant} and (id = ${which} or name = ${which})
    order by id = ${which} desc limit 1`)
  return rows[0] === undefined ? null : toRoute(rows[0])
}

/** False where another one has the name. */
export async function insertRoute(tx: Tx, route: GatewayRoute): Promise<boolean> {
  const { tenant, id, definition, rev, createdAt, updatedAt } = route
  const added = await tx.execute(sql`
    insert into gateway_routes (tenant_id, id, name, definition, enabled, rev, created_at, updated_at)
    values (${tenant}, ${id}, ${definition.name}, ${json(definition)}::jsonb, ${definition.enabled}, ${rev},
      ${createdAt}, ${updatedAt})
    on conflict do nothing`)
  return added === 1
}

/** Replaces the row that has the revision before `route.rev`; false where it has another by now. */
export async function updateRoute(tx: Tx, { tenant, id, definition, rev, updatedAt }: GatewayRoute): Promise<boolean> {
  const changed = await tx.execute(sql`
    update gateway_routes set name = ${definition.name}, definition = ${json(definition)}::jsonb,
      enabled = ${definition.enabled}, rev = ${rev}, updated_at = ${updatedAt}
    where tenant_id = ${tenant} and id = ${id} and rev = ${rev - 1}`)
  return changed === 1
}

/** False where it is no longer as it was read. */
export async function deleteRoute(tx: Tx, { tenant, id, rev }: GatewayRoute): Promise<boolean> {
  const removed = await tx.execute(sql`
    delete from gateway_routes where tenant_id = ${tenant} and id = ${id} and rev = ${rev}`)
  return removed === 1
}

export async function readStopped(tx: ReadTx, tenant: TenantId): Promise<boolean> {
  const rows = await tx.query(sql`
    select from gateway_settings where tenant_id = ${tenant} and stopped_at is not null`)
  return rows.length > 0
}

export async function saveStopped(tx: Tx, tenant: TenantId, stoppedAt: Date | null, now: Date): Promise<void> {
  await tx.execute(sql`
    insert into gateway_settings (tenant_id, stopped_at, updated_at) values (${tenant}, ${stoppedAt}, ${now})
    on conflict (tenant_id) do update set stopped_at = excluded.stopped_at, updated_at = excluded.updated_at`)
}

interface RouteRow {
  tenant_id: TenantId
  id: string
  definition: WriteGatewayRoute
  rev: number
  created_at: Date
  updated_at: Date
}

/** A row that an older version wrote gets what has been added since, with its default. */
function toRoute(row: RouteRow): GatewayRoute {
  return {
    tenant: row.tenant_id,
    id: row.id,
    definition: writeGatewayRouteSchema.parse(row.definition),
    rev: row.rev,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  }
}
