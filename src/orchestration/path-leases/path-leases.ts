import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { Tx } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'
import { appendEvents, type LoggedEvent } from '../../foundation/runtime/event-log.ts'
import type { Shard } from '../coordinator/sql/find-lanes.ts'
import type { TaskQueue } from '../coordinator/task-queue.ts'
import { globsOverlap } from './glob-overlap-contract.ts'

export interface NewPathClaim {
  readonly tenant: TenantId
  readonly runId: string
  readonly taskId: string
  readonly step: string
  readonly repo: string
  readonly paths: readonly string[]
  /** The key under which the task waits until the claim is granted; null: it begins at once, and an overlap is only told. */
  readonly opens: string | null
}

export interface PathLeasesOptions {
  readonly queue: () => TaskQueue
  readonly dispatch: (tx: Tx, shards: readonly Shard[], now: Date) => Promise<void>
}

/**
 * Leases of files: of two tasks on one repository that mean to change the same files the later one waits until the former
 * has ended. A claim is granted as a whole, before anything else the task waits for, and in the order of arrival, so that
 * nobody waits in a circle or for ever.
 */
export class PathLeases {
  readonly #options: PathLeasesOptions

  constructor(options: PathLeasesOptions) {
    this.#options = options
  }

  /** In the transaction that makes the tasks. Returns what became ready. */
  readonly claim = async (tx: Tx, claims: readonly NewPathClaim[], now: Date): Promise<readonly Shard[]> => {
    await tx.execute(sql`
      insert into path_claims (tenant_id, task_id, run_id, step, repo, paths, state, opens, created_at)
      select i.tenant_id, i.task_id, i.run_id, i.step, i.repo, array(select jsonb_array_elements_text(i.paths)), 'waiting', i.opens, ${now}
      from unnest(${claims.map((c) => c.tenant)}::text[], ${claims.map((c) => c.taskId)}::text[],
        ${claims.map((c) => c.runId)}::text[], ${claims.map((c) => c.step)}::text[], ${claims.map((c) => c.repo)}::text[],
        ${claims.map((c) => JSON.stringify(c.paths))}::jsonb[], ${claims.map((c) => c.opens)}::text[])
        with ordinality as i(tenant_id, task_id, run_id, step, repo, paths, opens, n)
      order by n`)
    return this.#grant(tx, placesOf(claims), now)
  }

  /** Reads the log: tasks that have ended give their files back, and whoever waited for them begins. */
  readonly handle = async (tx: Tx, events: readonly LoggedEvent[], now: Date): Promise<void> => {
    const ended = events.filter(({ type }) => endings.has(type))
    if (ended.length === 0) return
    const freed = await tx.query<{ tenant: TenantId; repo: string }>(sql`
      delete from path_claims c using unnest(${ended.map((e) => e.tenant)}::text[], ${ended.map((e) => e.subject.id)}::text[])
        as e(tenant_id, task_id)
      where c.tenant_id = e.tenant_id and c.task_id = e.task_id returning c.tenant_id as tenant, c.repo`)
    if (freed.length === 0) return
    const shards = await this.#grant(tx, placesOf(freed), now)
    if (shards.length > 0) await this.#options.dispatch(tx, shards, now)
  }

  async #grant(tx: Tx, places: readonly Place[], now: Date): Promise<readonly Shard[]> {
    const shards: Shard[] = []
    for (const { tenant, repo } of places) {
      const claims = await tx.query<ClaimRow>(sql`
        select task_id, run_id, step, paths, state, opens from path_claims
        where tenant_id = ${tenant} and repo = ${repo} order by seq for update`)
      const before: ClaimRow[] = []
      const granted: ClaimRow[] = []
      for (const claim of claims) {
        if (claim.state === 'waiting') {
          const others = before.filter((other) => claimsOverlap(claim.paths, other.paths))
          if (others.length === 0 || claim.opens === null) granted.push(claim)
          if (others.length > 0) await tellOverlap(tx, tenant, claim, others, now)
        }
        before.push(claim)
      }
      if (granted.length === 0) continue
      await tx.execute(sql`
        update path_claims set state = 'held'
        where tenant_id = ${tenant} and task_id = any (${granted.map((claim) => claim.task_id)}::text[])`)
      const keys = granted.flatMap(({ opens }) => (opens === null ? [] : [{ tenant, key: opens }]))
      const queue = this.#options.queue()
      await queue.insert(
        tx,
        [],
        keys.map((key) => ({ ...key, max: 1 })),
        now,
      )
      shards.push(...(await queue.wakeForPlaces(tx, keys, now)))
    }
    return shards
  }
}

const endings = new Set(['task.succeeded', 'task.failed', 'task.cancelled', 'task.timed-out', 'task.skipped'])

interface Place {
  readonly tenant: TenantId
  readonly repo: string
}

interface ClaimRow {
  readonly task_id: string
  readonly run_id: string
  readonly step: string
  readonly paths: readonly string[]
  readonly state: 'waiting' | 'held'
  readonly opens: string | null
}

export function claimsOverlap(one: readonly string[], other: readonly string[]): boolean {
  return one.some((path) => other.some((its) => globsOverlap(path, its)))
}

/** In one order, so that two transactions cannot wait for each other. */
function placesOf(claims: readonly Place[]): readonly Place[] {
  const unique = new Map(claims.map(({ tenant, repo }) => [`${tenant} ${repo}`, { tenant, repo }]))
  return [...unique].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, place]) => place)
}

async function tellOverlap(
  tx: Tx,
  tenant: TenantId,
  claim: ClaimRow,
  others: readonly ClaimRow[],
  now: Date,
): Promise<void> {
  await appendEvents(tx, [
    {
      tenant,
      type: claim.opens === null ? 'paths.overlapping' : 'paths.waiting',
      subject: { kind: 'path-claim', id: claim.task_id, rev: 1 },
      runId: claim.run_id,
      at: now,
      data: {
        step: claim.step,
        paths: [...claim.paths],
        others: others.slice(0, 20).map(({ run_id, step, paths }) => ({ run: run_id, step, paths: [...paths] })),
      },
    },
  ])
}
