import type { AgentId, IdSource, RunnerId, TenantId } from '../../foundation/kernel/ids.ts'
import type { Tx } from '../../foundation/platform/database/database.ts'
import type { PlannedAgent } from './agents-host.ts'
import { readPoolHosts } from './pool-hosts-store.ts'
import type { Room } from './share-out.ts'

/** Runners that joined by URL, as hosts of agents. */
export interface JoinedHosts {
  readonly ids: IdSource
  /** Lets a runner look for what it is to start or to stop. A hint: it looks by itself, too. */
  wake(runnerId: string): void
}

export interface JoinedPool {
  readonly tenant: TenantId
  readonly pool: string
  /** Runners that have not spoken since are left alone. */
  readonly since: Date
}

/** Names agents for the runners that take agents of the pool: as many for each as `share` says, given their rooms. */
export async function planOnJoined(
  tx: Tx,
  { ids }: JoinedHosts,
  { tenant, pool, since }: JoinedPool,
  share: (rooms: readonly Room[]) => readonly number[],
): Promise<readonly PlannedAgent[]> {
  const hosts = (await readPoolHosts(tx, tenant, pool, since)).flatMap(({ template, present, ...host }) =>
    template === null ? [] : [{ ...host, template, present: present ?? 0 }],
  )
  const counts = share(hosts)
  return hosts.flatMap(({ runnerId, host, pid, template }, n) =>
    Array.from({ length: counts[n] ?? 0 }, (): PlannedAgent => {
      const agentId = `${runnerId}.${pool}.${ids.next<string>('s')}` as AgentId
      return { runnerId: runnerId as RunnerId, host, pid, registration: { ...template, tenant, agentId } }
    }),
  )
}
