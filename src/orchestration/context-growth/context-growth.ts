import type { Database } from '../../foundation/platform/database/database.ts'
import { appendEvents } from '../../foundation/runtime/event-log.ts'
import type { Assignment } from '../runners/exchange-contract.ts'
import type { ContextMeter, OpenContextMeter } from './context-meter.ts'
import { dropContextUse, keepContextUse } from './context-use-store.ts'
import { createGrowthMeter, type GrowthChange, type GrowthState } from './growth-meter.ts'

export interface ContextGrowthOptions {
  readonly database: Database
  readonly onCommit?: () => void
  readonly onError: (error: unknown) => void
  /** Between two writes of an attempt that tells nothing new, ms. Default 2,000. */
  readonly everyMs?: number
}

const types: Readonly<Record<GrowthChange, string>> = {
  ...{ warned: 'context.warned', 'checkpoint-due': 'context.checkpoint-due', summarised: 'context.summarised' },
}
/** Of attempts whose process died nothing more is heard. */
const forgetMs = 86_400_000

/** Meters whose figures are kept where people see them, and whose thresholds are events. To fail at that ends no work. */
export function createContextGrowth(options: ContextGrowthOptions): OpenContextMeter {
  return (assignment) => openMeter(options, assignment)
}

function openMeter({ database, onCommit, onError, everyMs = 2_000 }: ContextGrowthOptions, assignment: Assignment) {
  const { tenant, taskId, fence, runId, step, agentId } = assignment
  let writing: Promise<void> = Promise.resolve()
  let waiting: GrowthState | null = null
  let timer: NodeJS.Timeout | null = null
  let wroteAt = Number.NEGATIVE_INFINITY
  let known = false

  function write(state: GrowthState, change: GrowthChange | null): void {
    if (timer !== null) clearTimeout(timer)
    timer = null
    waiting = null
    wroteAt = database.clock.monotonic()
    known = true
    writing = writing.then(() => keep(state, change)).catch(onError)
  }

  async function keep(state: GrowthState, change: GrowthChange | null): Promise<void> {
    await database.forTenant(tenant).write(async (tx) => {
      const now = database.clock.now()
      const rev = await keepContextUse(tx, assignment, state, now)
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
  }

  const meter: ContextMeter = createGrowthMeter({
    onState(state, change) {
      const left = wroteAt + everyMs - database.clock.monotonic()
      if (change !== null || left <= 0) return write(state, change)
      waiting = state
      timer ??= setTimeout(() => {
        timer = null
        if (waiting !== null) write(waiting, null)
      }, left)
    },
    async onClose() {
      if (timer !== null) clearTimeout(timer)
      timer = null
      waiting = null
      await writing
      if (!known) return
      const before = new Date(database.clock.now().getTime() - forgetMs)
      await database
        .forTenant(tenant)
        .write((tx) => dropContextUse(tx, assignment, before))
        .catch(onError)
    },
  })
  return meter
}

function round(share: number): number {
  return Math.round(share * 1_000) / 1_000
}
