import { setTimeout as delay } from 'node:timers/promises'
import type { Orchestration } from '../../src/app/orchestration.ts'
import type { TenantId } from '../../src/foundation/kernel/ids.ts'
import type { Database } from '../../src/foundation/platform/database/database.ts'
import { startWorker } from '../harness/worker-process.ts'
import {
  countEnded,
  createBenchOrchestration,
  type Kind,
  openBenchDatabase,
  startBenchRun,
  tenantNames,
} from './platform.ts'

export interface Backlog {
  /** Tasks that wait at any time, and can be done. They come in equal parts from the kinds and tenants. */
  readonly tasks: number
  readonly tenants: number
  readonly kinds: readonly Kind[]
  /** Tasks beside them that no agent can do, ahead of the others in priority. */
  readonly unservable: number
  /** What the agents can do. */
  readonly capabilities: readonly string[]
}

const nobodyCan: Kind = { priority: 10, capabilities: ['nobody'] }
const mostItems = 2_000
const loaders = 4
const windowMs = 5_000

/** Fills the queue, then lets a runner work for `seconds` while it is kept as full; returns the rate of each 5 seconds. */
export async function holdBacklog(
  url: string,
  backlog: Backlog,
  seconds: number,
  settle: () => Promise<void>,
): Promise<number[]> {
  const database = await openBenchDatabase(url, { migrate: true })
  try {
    const orchestration = createBenchOrchestration(database)
    const tenants = tenantNames(backlog.tenants)
    await load(orchestration, tenants, [nobodyCan], backlog.unservable)
    await load(orchestration, tenants, backlog.kinds, backlog.tasks)
    await settle()
    await using worker = await startWorker(new URL('runner-process.ts', import.meta.url), {
      BENCH_DATABASE_URL: url,
      BENCH_TENANTS: String(backlog.tenants),
      BENCH_SLOTS: String(Math.max(20, 2_000 / backlog.tenants)),
      BENCH_CAPABILITIES: backlog.capabilities.join(','),
    })
    const controller = new AbortController()
    const refilling = refill(database, orchestration, tenants, backlog, controller.signal)
    await worker.call('work')
    await delay(windowMs) // plans and caches are cold
    const rates: number[] = []
    let [count, at] = [await countEnded(database), performance.now()]
    while (rates.length * windowMs < seconds * 1_000) {
      await Promise.race([delay(windowMs), refilling])
      const [nextCount, nextAt] = [await countEnded(database), performance.now()]
      rates.push((nextCount - count) / ((nextAt - at) / 1_000))
      ;[count, at] = [nextCount, nextAt]
    }
    controller.abort()
    await refilling
    return rates
  } finally {
    await database.close()
  }
}

/** Adds tasks in large runs, several at a time; larger ones would keep this process from its other transactions for too long. */
async function load(
  orchestration: Orchestration,
  tenants: readonly TenantId[],
  kinds: readonly Kind[],
  tasks: number,
): Promise<void> {
  const groups = tenants.flatMap((tenant) => kinds.map((kind) => ({ tenant, kind })))
  const perRun = Math.max(1, Math.min(mostItems, Math.floor(tasks / groups.length)))
  const runs = Math.round(tasks / perRun)
  let next = 0
  const loop = async () => {
    while (next < runs) {
      const { tenant, kind } = groups[next++ % groups.length]!
      await startBenchRun(
        orchestration,
        tenant,
        Array.from({ length: perRun }, (_, n) => n),
        kind,
      )
    }
  }
  await Promise.all(Array.from({ length: loaders }, loop))
}

/** Replaces what was done, in runs small enough that the backlog stays level. */
async function refill(
  database: Database,
  orchestration: Orchestration,
  tenants: readonly TenantId[],
  { tasks, kinds }: Backlog,
  signal: AbortSignal,
): Promise<void> {
  const groups = tenants.flatMap((tenant) => kinds.map((kind) => ({ tenant, kind })))
  const items = Array.from({ length: Math.min(250, Math.ceil(tasks / 4)) }, (_, n) => n)
  let added = 0
  let next = 0
  const loop = async () => {
    while (!signal.aborted) {
      if ((await countEnded(database)) - added < items.length) {
        await delay(5)
        continue
      }
      added += items.length
      const { tenant, kind } = groups[next++ % groups.length]!
      await startBenchRun(orchestration, tenant, items, kind)
    }
  }
  await Promise.all(Array.from({ length: loaders }, loop))
}
