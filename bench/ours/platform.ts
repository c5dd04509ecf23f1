import { createOrchestration, type Orchestration } from '../../src/app/orchestration.ts'
import type { TenantId } from '../../src/foundation/kernel/ids.ts'
import type { JsonValue } from '../../src/foundation/kernel/json.ts'
import type { Database } from '../../src/foundation/platform/database/database.ts'
import { openDatabase } from '../../src/foundation/platform/database/open-database.ts'
import { sql } from '../../src/foundation/platform/database/sql.ts'
import { poolSize } from '../harness/contender.ts'

export const pool = 'bench'

/** What tells the tasks of a run from others to the scheduler. */
export interface Kind {
  readonly priority: number
  readonly capabilities: readonly string[]
}

const plain: Kind = { priority: 5, capabilities: [] }

/** A `map` whose tasks are the smallest there are. The budget is on, and never in the way. */
function workflowOf({ priority, capabilities }: Kind): { readonly text: string; readonly fileName: string } {
  const name = ['bench', `p${priority}`, ...capabilities].join('-')
  const text = `
name: ${name}
budget: { runs: 1000000000 }
inputs:
  items: { type: json }
steps:
  each:
    priority: ${priority}
    map:
      over: \${{ inputs.items }}
      step: { command: [noop, "\${{ item }}"], pool: ${pool}, priority: ${priority}, capabilities: [${capabilities.join(', ')}] }
`
  return { text, fileName: `${name}.yaml` }
}

export function tenantNames(count: number): TenantId[] {
  return Array.from({ length: count }, (_, n) => (n === 0 ? 'default' : `tenant-${n}`) as TenantId)
}

/** Two pools, as the platform has: together as many connections as the peers get. */
export function openBenchDatabase(url: string, options: { readonly migrate: boolean }): Promise<Database> {
  return openDatabase({ kind: 'postgres', url, poolSize: poolSize / 2, systemPoolSize: poolSize / 2, ...options })
}

export function createBenchOrchestration(database: Database): Orchestration {
  return createOrchestration({
    database,
    definitions: { find: async () => null },
    choosePool: () => pool,
    onError: (error) => console.error('leanvibe:', error),
  })
}

export async function startBenchRun(
  { runs }: Orchestration,
  tenant: TenantId,
  items: readonly JsonValue[],
  kind: Kind = plain,
): Promise<void> {
  await runs.start(tenant, {
    what: workflowOf(kind),
    inputs: { items },
    repo: null,
    priority: null,
    parallel: null,
    labels: {},
  })
}

/** Adds `tasks` tasks as runs of a thousand, to one tenant after the other. */
export async function addTasks(
  orchestration: Orchestration,
  tenants: readonly TenantId[],
  tasks: number,
): Promise<void> {
  const perRun = 1_000
  for (let from = 0; from < tasks; from += perRun) {
    const items = Array.from({ length: Math.min(perRun, tasks - from) }, (_, n) => from + n)
    await startBenchRun(orchestration, tenants[(from / perRun) % tenants.length]!, items)
  }
}

/** Tasks that have ended. `open` of the steps says it without reading the tasks. */
export async function countEnded(database: Database): Promise<number> {
  const rows = await database
    .asSystem('bench')
    .read((tx) => tx.query<{ count: number }>(sql`select coalesce(sum(total - open), 0)::int as count from run_steps`))
  return rows[0]!.count
}
