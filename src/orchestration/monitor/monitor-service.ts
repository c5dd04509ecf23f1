import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { Database, ReadTx } from '../../foundation/platform/database/database.ts'
import { countRecentEvents, databaseBytes, oldestUnseen } from '../../foundation/runtime/log-figures.ts'
import type { AgentFigures } from '../agents/agents-view.ts'
import type { AttemptContextUse } from '../context-growth/context-growth-contract.ts'
import type { QueueFigure } from '../runs/queue-figures.ts'
import { HostSampler, type HostSource } from './host-figures.ts'
import type { Monitor } from './monitor-contract.ts'
import { ratesOf } from './rates.ts'

export interface MonitorOptions {
  readonly database: Database
  /** Its file system is the one whose space is shown. */
  readonly dataFolder: string
  /** What the owners of the tables tell of them; the context provides it. */
  readonly countAgents: (tx: ReadTx, tenant: TenantId) => Promise<AgentFigures>
  readonly readQueue: (tx: ReadTx, tenant: TenantId) => Promise<readonly QueueFigure[]>
  readonly readContexts: (
    tx: ReadTx,
    tenant: TenantId,
    since: Date,
    most: number,
  ) => Promise<readonly AttemptContextUse[]>
  readonly countRuns: (tx: ReadTx, tenant: TenantId, since: Date) => Promise<Record<string, number>>
  readonly host?: HostSource
}

const day = 86_400_000
const hour = 3_600_000
const minute = 60_000
const mostContexts = 10

/** Everything that ends a task; those after the first did not succeed. A skipped task never began, so it is left out. */
export const endings = ['task.succeeded', 'task.failed', 'task.cancelled', 'task.timed-out'] as const

/** Figures measured when they are asked for. Nothing is kept but the last sample of the CPU. */
export class MonitorService {
  readonly #options: MonitorOptions
  readonly #host: HostSampler

  constructor(options: MonitorOptions) {
    this.#options = options
    this.#host = new HostSampler(options.dataFolder, options.host)
  }

  /** `ofAll`: with what concerns all tenants together, which is for who runs the installation. */
  async show(tenant: TenantId, ofAll: boolean): Promise<Monitor> {
    const { database } = this.#options
    const now = database.clock.now()
    const ago = (ms: number) => new Date(now.getTime() - ms)
    const [host, own, shared] = await Promise.all([
      ofAll ? this.#host.read() : null,
      database.forTenant(tenant).read(async (tx) => ({
        agents: await this.#options.countAgents(tx, tenant),
        queue: await this.#options.readQueue(tx, tenant),
        contexts: await this.#options.readContexts(tx, tenant, ago(hour), mostContexts),
        runs: await this.#options.countRuns(tx, tenant, ago(day)),
      })),
      database.asSystem('monitor').read(async (tx) => ({
        recent: await countRecentEvents(tx, tenant, endings, [ago(minute), ago(5 * minute)]),
        unseen: ofAll ? await oldestUnseen(tx) : null,
        bytes: ofAll ? await databaseBytes(tx) : null,
      })),
    ])
    return {
      at: now.toISOString(),
      host,
      agents: own.agents,
      queue: own.queue.map(({ oldestAt, ...figure }) => ({ ...figure, oldestSeconds: age(now, oldestAt) / 1_000 })),
      contexts: [...own.contexts],
      runs: { byState: own.runs },
      rates: ratesOf(shared.recent, now),
      eventLagMs: !ofAll ? null : shared.unseen === null ? 0 : age(now, shared.unseen),
      databaseBytes: shared.bytes,
    }
  }
}

function age(now: Date, then: Date): number {
  return Math.max(0, now.getTime() - then.getTime())
}
