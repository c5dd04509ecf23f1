import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { JsonObject } from '../../foundation/kernel/json.ts'
import { parseCronRule } from '../../foundation/platform/calendar/cron.ts'
import type { Database, ReadTx, Tx } from '../../foundation/platform/database/database.ts'
import { appendEvents } from '../../foundation/runtime/event-log.ts'
import { explainSize, type HostReading, type SizeReading } from './explain-size.ts'
import { measurePool, type PoolReading } from './measure-pool.ts'
import type { ScalingExplanation, ScalingPolicyInput } from './scaling-contract.ts'
import { scalingErrors } from './scaling-errors.ts'
import { resolvePolicy } from './scaling-policy.ts'
import { deletePolicy, insertDecision, readDecisions, readPolicies, savePolicy } from './scaling-store.ts'
import { viewOf } from './scaling-views.ts'

export interface PoolPort {
  /** A pool as it is; null: there is none. The `agents` and `runs` parts provide it. */
  read(tx: ReadTx, tenant: TenantId, pool: string): Promise<(PoolReading & SizeReading) | null>
  /** Where agents of it can be started, of those that were heard of since. */
  hosts(tx: ReadTx, tenant: TenantId, pool: string, since: Date): Promise<readonly HostReading[]>
  /** Pools whose size somebody has set, by name. */
  sized(tx: ReadTx, tenant: TenantId): Promise<readonly string[]>
  /** Sets how many agents there should be; hosts start and stop them. */
  resize(
    tx: Tx,
    tenant: TenantId,
    pool: string,
    size: { readonly desired: number; readonly warm: number },
  ): Promise<void>
  /** The revision for the next event of a pool. */
  nextRev(tx: Tx, tenant: TenantId, pool: string): Promise<number>
  /** Throws `pool-not-found`. */
  missing(pool: string): never
}

export interface ScalingServiceOptions {
  readonly database: Database
  readonly pools: PoolPort
}

/** Hosts that were silent for longer are not counted on. */
const silenceMs = 6_000

/** Policies, what they decided, and sizes set by people. */
export class ScalingService {
  readonly #options: ScalingServiceOptions

  constructor(options: ScalingServiceOptions) {
    this.#options = options
  }

  /** Throws `pool-not-found`, `scaling-policy-invalid`, `cron-invalid`. */
  async setPolicy(tenant: TenantId, pool: string, policy: ScalingPolicyInput, by: string): Promise<ScalingPolicyInput> {
    const { database, pools } = this.#options
    const now = database.clock.now()
    for (const entry of resolvePolicy(policy).scheduled.entries) parseCronRule(entry, now)
    return database.forTenant(tenant).write(async (tx) => {
      if ((await pools.read(tx, tenant, pool)) === null) pools.missing(pool)
      await savePolicy(tx, tenant, pool, policy, now)
      const rev = await pools.nextRev(tx, tenant, pool)
      await appendEvents(tx, [poolEvent(tenant, pool, 'pool.policy-set', rev, now, { strategy: policy.strategy, by })])
      return policy
    })
  }

  /** The pool keeps the size it has. */
  async removePolicy(tenant: TenantId, pool: string, by: string): Promise<{ pool: string }> {
    const { database, pools } = this.#options
    return database.forTenant(tenant).write(async (tx) => {
      if (!(await deletePolicy(tx, tenant, pool)))
        throw scalingErrors['pool-not-scaled'](`the pool ${pool} has no scaling policy`)
      const now = database.clock.now()
      const rev = await pools.nextRev(tx, tenant, pool)
      await appendEvents(tx, [poolEvent(tenant, pool, 'pool.policy-removed', rev, now, { by })])
      return { pool }
    })
  }

  /** Sets the size by hand. A policy, if there is one, goes on from there. */
  async scale(tenant: TenantId, pool: string, agents: number, by: string): Promise<ScalingExplanation> {
    const { database, pools } = this.#options
    return database.forTenant(tenant).write(async (tx) => {
      const now = database.clock.now()
      const reading = (await pools.read(tx, tenant, pool)) ?? pools.missing(pool)
      const [row] = await readPolicies(tx, tenant, pool)
      const warm = row === undefined ? 0 : resolvePolicy(row.policy).warm
      await pools.resize(tx, tenant, pool, { desired: agents, warm })
      const { signals } = measurePool(reading, null, now)
      const from = signals.agents
      const steps = [`${by} wants ${agents}`]
      if (row !== undefined) steps.push(`the policy ${row.policy.strategy} goes on from there at its next look`)
      const explanation = viewOf({
        pool,
        strategy: 'manual',
        decision: {
          outcome: agents > from ? 'out' : agents < from ? 'in' : 'none',
          from,
          to: agents,
          reason: `${by} said so`,
          steps,
        },
        signals,
        before: undefined,
      })
      await insertDecision(tx, tenant, 'manual', explanation, now)
      const rev = await pools.nextRev(tx, tenant, pool)
      await appendEvents(tx, [poolEvent(tenant, pool, 'pool.scaled', rev, now, decisionData(explanation))])
      return explanation
    })
  }

  history(tenant: TenantId, pool: string | null, limit: number): Promise<readonly ScalingExplanation[]> {
    return this.#options.database.forTenant(tenant).read((tx) => readDecisions(tx, tenant, pool, limit))
  }

  async explain(tenant: TenantId, pool: string | null) {
    const { database, pools } = this.#options
    const since = new Date(database.clock.now().getTime() - silenceMs)
    // Who runs agents is for all tenants to see to; each sees its own.
    return database.asSystem('scaling-view').read(async (tx) => {
      const rows = await readPolicies(tx, tenant, pool)
      const sized = (await pools.sized(tx, tenant)).filter((name) => pool === null || name === pool)
      const names = [...new Set([...rows.map((row) => row.pool), ...sized])].sort()
      if (names.length === 0 && pool !== null) {
        throw scalingErrors['pool-not-scaled'](`the pool ${pool} has no scaling policy`)
      }
      const items = []
      for (const name of names) {
        const row = rows.find((each) => each.pool === name)
        const reading = (await pools.read(tx, tenant, name)) ?? pools.missing(name)
        const decided = row?.explanation ?? (await readDecisions(tx, tenant, name, 1))[0] ?? null
        items.push({
          pool: name,
          policy: row?.policy ?? null,
          last: decided,
          nextLookAt: row?.dueAt.toISOString() ?? null,
          size: explainSize(reading, await pools.hosts(tx, tenant, name, since)),
        })
      }
      return items
    })
  }
}

export function decisionData({ strategy, from, to, reason }: ScalingExplanation): JsonObject {
  return { strategy, from, to, reason }
}

export function poolEvent(tenant: TenantId, pool: string, type: string, rev: number, at: Date, data: JsonObject) {
  return { tenant, type, subject: { kind: 'pool', id: pool, rev }, runId: null, at, data }
}
