import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { JsonObject, JsonValue } from '../../foundation/kernel/json.ts'
import type { ReadTx } from '../../foundation/platform/database/database.ts'
import { type Query, sql } from '../../foundation/platform/database/sql.ts'
import type { AgentPlacement, AgentView } from './agents-contract.ts'

/** Agents shown at once, at most. */
const most = 10_000

export interface AgentFilter {
  readonly pool?: string | undefined
  readonly state?: AgentView['state'] | undefined
}

/**
 * The agents of a tenant by pool and id. An agent is as lively as its runner, who speaks for all its agents; runners
 * belong to no tenant, so this reads in system scope.
 */
export async function readAgents(tx: ReadTx, tenant: TenantId, filter: AgentFilter): Promise<readonly AgentView[]> {
  const rows = await tx.query<AgentRow>(sql`
    select ${columns} from agents a left join runners r on r.id = a.runner_id
    where a.tenant_id = ${tenant} and (${filter.pool ?? null}::text is null or a.pool = ${filter.pool ?? null})
      and (${filter.state ?? null}::text is null or a.state = ${filter.state ?? null})
    order by a.pool, a.id limit ${most}`)
  return rows.map(toView)
}

export async function readAgent(tx: ReadTx, tenant: TenantId, id: string): Promise<AgentView | null> {
  const rows = await tx.query<AgentRow>(sql`
    select ${columns} from agents a left join runners r on r.id = a.runner_id
    where a.tenant_id = ${tenant} and a.id = ${id}`)
  return rows[0] === undefined ? null : toView(rows[0])
}

/** Names in the labels of a registration that are none of the user's. */
const notLabels: ReadonlySet<string> = new Set(['region', 'taints', 'resources', 'runner-resources', 'enforcement'])

/** What its registration said. */
export async function readPlacement(tx: ReadTx, tenant: TenantId, id: string): Promise<AgentPlacement> {
  const [row] = await tx.query<{ labels: JsonObject; weight: number }>(sql`
    select labels, weight::float8 as weight from agents where tenant_id = ${tenant} and id = ${id}`)
  const { labels = {}, weight = 1 } = row ?? {}
  const own = Object.entries(labels).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string' && !notLabels.has(entry[0]),
  )
  const { region, taints, resources, enforcement } = labels
  return {
    labels: Object.fromEntries(own),
    region: typeof region === 'string' ? region : null,
    taints: Array.isArray(taints) ? taints.filter((taint) => typeof taint === 'string') : [],
    weight,
    resources: isObject(resources) ? numbersOf(resources) : null,
    enforcement:
      enforcement === 'metered' || enforcement === 'capped' || enforcement === 'reported' ? enforcement : null,
  }
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Registrations of other versions are input. */
function numbersOf(amounts: JsonObject): Record<string, number> {
  return Object.fromEntries(
    Object.entries(amounts).filter((entry): entry is [string, number] => typeof entry[1] === 'number'),
  )
}

const columns: Query = sql`a.id, a.pool, a.kind, a.state, a.intent, a.capabilities, a.slots, a.used,
  a.runner_id as "runnerId", greatest(a.last_seen_at, r.heartbeat_at) as "lastSeenAt"`

function toView({ lastSeenAt, ...row }: AgentRow): AgentView {
  return { ...row, lastSeenAt: lastSeenAt.toISOString() }
}

interface AgentRow extends Omit<AgentView, 'lastSeenAt'> {
  readonly lastSeenAt: Date
}

export interface AgentFigures {
  readonly byState: Record<string, number>
  /** Tasks that agents which may work can take at a time, and how many they have. */
  readonly slots: number
  readonly used: number
}

/** How many agents there are in each state, and their slots. Agents that are offline offer none. */
export async function countAgents(tx: ReadTx, tenant: TenantId): Promise<AgentFigures> {
  const rows = await tx.query<{ state: AgentView['state']; count: number; slots: number; used: number }>(sql`
    select state, count(*)::int as count, sum(slots)::int as slots, sum(used)::int as used
    from agents where tenant_id = ${tenant} group by state order by state`)
  const present = rows.filter((row) => row.state !== 'offline')
  return {
    byState: Object.fromEntries(rows.map((row) => [row.state, row.count])),
    slots: present.reduce((sum, row) => sum + row.slots, 0),
    used: present.reduce((sum, row) => sum + row.used, 0),
  }
}
