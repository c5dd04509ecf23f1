import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { Database, Tx } from '../../foundation/platform/database/database.ts'
import { appendEvents } from '../../foundation/runtime/event-log.ts'
import { createLoop, type Loop } from '../../foundation/runtime/loop.ts'
import { decideScale } from './decide-scale.ts'
import { offeredLoad } from './demand.ts'
import type { Forecaster, SeriesPoint } from './forecaster.ts'
import { measurePool } from './measure-pool.ts'
import { resolvePolicy, type ScalingPolicy } from './scaling-policy.ts'
import { decisionData, type PoolPort, poolEvent } from './scaling-service.ts'
import {
  claimDue,
  insertDecision,
  insertSample,
  lastChanges,
  listDue,
  nextDueIn,
  type PolicyRow,
  pruneScaling,
  readDecisions,
  readSamples,
  readSamplesAround,
  saveLook,
} from './scaling-store.ts'
import { viewOf } from './scaling-views.ts'

export interface ScalingJobOptions {
  readonly pools: PoolPort
  /** Default: seasonal-naive. */
  readonly forecaster?: Forecaster
  /** Told after a commit that changed a size, so that hosts need not wait for their next look. */
  readonly onResize: () => void
  /** Milliseconds between looks for policies that are due. Default 1,000. */
  readonly pollMs?: number
  readonly onError: (error: unknown) => void
}

const mostDue = 100
/** How far the history reaches that decisions look at, at least. */
const historyMs = 900_000
/** Samples around the same moment of the season before. */
const seasonWithinMs = 600_000
const keptSamplesMs = 8 * 86_400_000
const keptDecisionsMs = 90 * 86_400_000
const pruneEveryMs = 3_600_000
const restMs = 15_000
/** Agents follow a new size within this time, or need longer to start than a policy should wait for. */
const followMs = 15_000
const shortestRestMs = 50

/** Looks at every pool with a policy when it is due, and sets its size. Any number of processes may run one. */
export class ScalingJob {
  readonly #database: Database
  readonly #options: ScalingJobOptions
  readonly #resting = new Map<string, number>()
  #prunedAt = Number.NEGATIVE_INFINITY

  constructor(database: Database, options: ScalingJobOptions) {
    this.#database = database
    this.#options = options
  }

  start(): Loop {
    return createLoop({
      pollMs: this.#options.pollMs ?? 1_000,
      idle: { pulse: this.#database.pulse },
      onError: this.#options.onError,
      step: () => this.look(),
    })
  }

  /** One look at all pools that are due. A pool whose look threw rests, and does not hold up the others. Returns ms until the next is due. */
  async look(): Promise<number | undefined> {
    const { clock } = this.#database
    const { due, nextIn } = await this.#system().read(async (tx) => {
      const due = await listDue(tx, clock.now(), mostDue)
      return { due, nextIn: due.length > 0 ? null : await nextDueIn(tx, clock.now()) }
    })
    for (const { tenant, pool } of due) {
      const key = `${tenant}/${pool}`
      if ((this.#resting.get(key) ?? Number.NEGATIVE_INFINITY) > clock.monotonic()) continue
      this.#resting.delete(key)
      try {
        if (await this.#system().write((tx) => this.#lookAt(tx, tenant, pool))) this.#options.onResize()
      } catch (error) {
        this.#resting.set(key, clock.monotonic() + restMs)
        this.#options.onError(error)
      }
    }
    if (clock.monotonic() - this.#prunedAt > pruneEveryMs) {
      this.#prunedAt = clock.monotonic()
      const ago = (ms: number) => new Date(clock.now().getTime() - ms)
      await this.#system().write((tx) =>
        pruneScaling(tx, { samples: ago(keptSamplesMs), decisions: ago(keptDecisionsMs) }),
      )
    }
    return nextIn === null ? undefined : Math.max(shortestRestMs, nextIn)
  }

  /** True: the size changes. */
  async #lookAt(tx: Tx, tenant: TenantId, pool: string): Promise<boolean> {
    const now = this.#database.clock.now()
    const row = await claimDue(tx, tenant, pool, now)
    if (row === null) return false
    const policy = resolvePolicy(row.policy)
    const dueAt = new Date(now.getTime() + policy.everyMs)
    const reading = await this.#options.pools.read(tx, tenant, pool)
    if (reading === null) {
      await saveLook(tx, { ...row, dueAt })
      return false
    }
    const { signals: measured, counted } = measurePool(reading, row.counted, now)
    const byHand = await this.#setByHand(tx, tenant, pool, reading.desired, now)
    const signals = byHand === null ? measured : { ...measured, agents: byHand }
    const { stabiliseInMs, idleMs, targetTracking, everyMs } = policy
    // Further back than any window, so that it is seen to be full.
    const since =
      Math.max(historyMs, stabiliseInMs, idleMs, targetTracking.windowMs, policy.predictive.windowMs) + 5 * everyMs
    const samples = await readSamples(tx, tenant, pool, new Date(now.getTime() - since))
    const history = { samples, ...(await lastChanges(tx, tenant, pool)) }
    const { forecaster } = this.#options
    const demand = await this.#demandBefore(tx, row, policy, now)
    const thought = decideScale(signals, policy, history, now, {
      demand,
      ...(forecaster === undefined ? {} : { forecaster }),
    })
    const goesOn = `${byHand} were set by hand just now; it goes on from there`
    const decision = byHand === null ? thought : { ...thought, steps: [goesOn, ...thought.steps] }
    const explanation = viewOf({ pool, strategy: policy.strategy, decision, signals, before: samples.at(-1) })
    await insertSample(tx, tenant, pool, { ...signals, recommended: decision.recommended })
    await saveLook(tx, { tenant, pool, dueAt, explanation, counted })
    await this.#options.pools.resize(tx, tenant, pool, { desired: decision.to, warm: policy.warm })
    if (decision.outcome === 'none') return false
    await insertDecision(tx, tenant, policy.strategy, explanation, now)
    const rev = await this.#options.pools.nextRev(tx, tenant, pool)
    await appendEvents(tx, [poolEvent(tenant, pool, 'pool.scaled', rev, now, decisionData(explanation))])
    return true
  }

  /** A size that a person has set and that agents may not have followed yet; null: there is none. */
  async #setByHand(tx: Tx, tenant: TenantId, pool: string, desired: number | null, now: Date): Promise<number | null> {
    const [last] = await readDecisions(tx, tenant, pool, 1)
    if (last?.strategy !== 'manual' || last.to !== desired) return null
    return now.getTime() - Date.parse(last.at) < followMs ? desired : null
  }

  async #demandBefore(tx: Tx, row: PolicyRow, policy: ScalingPolicy, now: Date): Promise<readonly SeriesPoint[]> {
    if (policy.strategy !== 'predictive') return []
    const { leadMs, seasonMs } = policy.predictive
    const then = new Date(now.getTime() + leadMs - seasonMs)
    const samples = await readSamplesAround(tx, row.tenant, row.pool, then, seasonWithinMs)
    return samples.map((sample) => ({ at: sample.at, value: offeredLoad(sample) }))
  }

  #system() {
    return this.#database.asSystem('scaling')
  }
}
