import type { Clock } from '../../foundation/kernel/clock.ts'
import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { Database, ReadTx } from '../../foundation/platform/database/database.ts'
import { appendEvents } from '../../foundation/runtime/event-log.ts'
import type { ContextMeter, MeteredLease, OpenContextMeter } from './context-meter.ts'
import { dropContextUse, keepContextUse } from './context-use-store.ts'
import { createGrowthMeter, type GrowthChange, type GrowthState } from './growth-meter.ts'
import { expectedGrowth, learnGrowth } from './growth-store.ts'

/** Where what is known of contexts is kept. */
export interface ContextSink {
  keep(lease: MeteredLease, state: GrowthState, change: GrowthChange | null): Promise<void>
  /** The attempt is over. */
  drop(lease: MeteredLease): Promise<void>
  /** What a turn will add by what was learned of the agent and its pool, tokens; null: nobody knows. */
  expected?(lease: MeteredLease): Promise<number | null>
}

/** The pool of an agent; the `agents` part provides it. */
export type PoolOfAgent = (tx: ReadTx, tenant: TenantId, agentId: string) => Promise<string | null>

export interface ContextGrowthOptions {
  readonly sink: ContextSink
  readonly clock: Pick<Clock, 'monotonic'>
  readonly onError: (error: unknown) => void
  /** Between two writes of an attempt that tells nothing new, ms. Default 2,000. */
  readonly everyMs?: number
}

const types: Readonly<Record<GrowthChange, string>> = {
  ...{ warned: 'context.warned', 'checkpoint-due': 'context.checkpoint-due', summarised: 'context.summarised' },
}
/** Of attempts whose process died nothing more is heard. */
const forgetMs = 86_400_000

/** Figures are kept where people see them, and thresholds that were passed are events. */
export function createContextSink(database: Database, poolOf: PoolOfAgent, onCommit?: () => void): ContextSink {
  return {
    async expected({ tenant, agentId }) {
      return database
        .forTenant(tenant)
        .read(async (tx) => expectedGrowth(tx, tenant, agentId, await poolOf(tx, tenant, agentId)))
    },
    async keep(lease, state, change) {
      const { tenant, taskId, fence, runId, step, agentId } = lease
      await database.forTenant(tenant).write(async (tx) => {
        const now = database.clock.now()
        const rev = await keepContextUse(tx, lease, state, now)
        if (change === null) return
        const { used, limit, share, growth, turnsLeft, summaries } = state
        await appendEvents(tx, [
          {
            ...{ tenant, runId, at: now, type: types[change] },
            subject: { kind: 'context', id: `${taskId}.${fence}`, rev },
            data: { ...{ taskId, step, agentId, used, limit, growth, turnsLeft, summaries }, share: round(share) },
          },
        ])
        if (onCommit !== undefined) tx.afterCommit(onCommit)
      })
    },
    async drop(lease) {
      const { tenant, agentId } = lease
      await database.forTenant(tenant).write(async (tx) => {
        const now = database.clock.now()
        await learnGrowth(tx, lease, await poolOf(tx, tenant, agentId), now)
        await dropContextUse(tx, lease, new Date(now.getTime() - forgetMs))
      })
    },
  }
}

/** Meters that write to a sink, not too often. To fail at that ends no work. */
export function createContextGrowth(options: ContextGrowthOptions): OpenContextMeter {
  return (lease) => openMeter(options, lease)
}

function openMeter({ sink, clock, onError, everyMs = 2_000 }: ContextGrowthOptions, lease: MeteredLease) {
  let writing: Promise<void> = Promise.resolve()
  let waiting: GrowthState | null = null
  let timer: NodeJS.Timeout | null = null
  let wroteAt = Number.NEGATIVE_INFINITY
  let known = false
  let expected: number | null = null
  // Before the first turn has ended it is there; a forecast without it is only less good.
  const asked = sink.expected?.(lease).then((growth) => {
    expected = growth
  }, onError)

  function write(state: GrowthState, change: GrowthChange | null): void {
    if (timer !== null) clearTimeout(timer)
    timer = null
    waiting = null
    wroteAt = clock.monotonic()
    known = true
    writing = writing.then(() => sink.keep(lease, state, change)).catch(onError)
  }

  const meter: ContextMeter = createGrowthMeter({
    expected: () => expected,
    onState(state, change) {
      const left = wroteAt + everyMs - clock.monotonic()
      if (change !== null || left <= 0) return write(state, change)
      waiting = state
      timer ??= setTimeout(() => {
        timer = null
        if (waiting !== null) write(waiting, null)
      }, left)
    },
    async onClose() {
      // What it came to is learned from, however short it was.
      if (waiting !== null) write(waiting, null)
      await asked
      await writing
      if (known) await sink.drop(lease).catch(onError)
    },
  })
  return meter
}

function round(share: number): number {
  return Math.round(share * 1_000) / 1_000
}
