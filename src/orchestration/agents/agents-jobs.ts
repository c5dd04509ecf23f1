import { isAppError } from '../../foundation/kernel/errors.ts'
import type { AgentId, TenantId } from '../../foundation/kernel/ids.ts'
import type { Database, Tx } from '../../foundation/platform/database/database.ts'
import { createLoop, type Loop } from '../../foundation/runtime/loop.ts'
import type { Shard } from '../coordinator/sql/find-lanes.ts'
import type { AgentHost, PlannedAgent } from './agents-host.ts'
import type { AgentsMeter } from './agents-meter.ts'
import {
  type AgentChange,
  type AgentRow,
  announceAgents,
  changeAgents,
  deleteAgents,
  lockAgent,
  lockByRunnerSilence,
  lockPoolAgents,
  lockRemovable,
  readAttention,
  registeredOf,
} from './agents-store.ts'
import { type JoinedHosts, planOnJoined } from './joined-hosts.ts'
import { prunePoolHosts } from './pool-hosts-store.ts'
import { addEnded, claimPool } from './pools-store.ts'
import type { RunnersStore } from './runners-store.ts'
import { shareOut } from './share-out.ts'
import { sizePool } from './size-pool.ts'

export interface AgentsJobOptions {
  readonly runners: RunnersStore
  /** Where this process starts agents; null: nowhere. */
  readonly host: AgentHost | null
  /** Runners that joined by URL, which start agents by the word of servers. Default: none. */
  readonly joined?: JoinedHosts
  readonly meter: AgentsMeter
  /** Matches ready work with free slots. */
  readonly onShards: (shards: readonly Shard[]) => Promise<void>
  /** Milliseconds between looks. Default 1,000. */
  readonly pollMs?: number
  readonly onError: (error: unknown) => void
}

/** Runners speak every two seconds or so; one that missed two turns gets nothing new until it is heard again. */
const silenceMs = 4_500
/** Agents started by one process in one look, so that several hosts share what is to be started. */
const startedAtOnce = 8
/** How long an unhealthy agent rests before it is tried again; doubled each time it fails on trial. */
const shortestRestMs = 30_000
const longestRestMs = 600_000
/** Agents and runners that have been gone for this long are forgotten. */
const goneMs = 3_600_000
/** How long a pool rests whose agents cannot be started; doubled each time, so that a broken template burns nothing. */
const shortestStartRestMs = 2_000
const longestStartRestMs = 300_000
const pruneEveryMs = 600_000

interface Rest {
  readonly tenant: TenantId
  readonly ms: number
  readonly until: number
}

/** Keeps the registry true: silence, faults, removals, and the sizes that pools should have. Every process runs one. */
export class AgentsJob {
  readonly #database: Database
  readonly #options: AgentsJobOptions
  readonly #resting = new Map<AgentId, Rest>()
  readonly #startRests = new Map<string, { readonly ms: number; readonly until: number }>()
  #prunedAt = Number.NEGATIVE_INFINITY

  constructor(database: Database, options: AgentsJobOptions) {
    this.#database = database
    this.#options = options
  }

  start(): Loop {
    return createLoop({
      pollMs: this.#options.pollMs ?? 1_000,
      // Whoever is silent for 4.5 s is found within 10 s of its last word.
      idle: { pulse: this.#database.pulse, pollMs: 4_000 },
      onError: this.#options.onError,
      step: () => this.look(),
    })
  }

  /** One look. */
  async look(): Promise<void> {
    const since = new Date(this.#database.clock.now().getTime() - silenceMs)
    // One look without locks; most of the time there is nothing to do.
    const attention = await this.#system().read((tx) => readAttention(tx, since))
    await this.#noteEnded(attention.sized.length > 0)
    if (attention.silent || attention.heard) await this.#noteSilence(since)
    await this.#noteFaults()
    if (attention.removable) await this.#remove()
    await this.#stopForgotten()
    const hosted = new Map(this.#options.host?.pools().map((one) => [`${one.tenant}/${one.pool}`, one.room]))
    for (const { tenant, pool } of attention.sized) {
      const key = `${tenant}/${pool}`
      const rests = (this.#startRests.get(key)?.until ?? Number.NEGATIVE_INFINITY) > this.#database.clock.monotonic()
      // Fewer is for everybody to see to; more is for those who can start agents of the pool.
      await this.#size(tenant, pool, rests ? 0 : (hosted.get(key) ?? 0))
    }
    await this.#prune()
  }

  async #noteEnded(wanted: boolean): Promise<void> {
    const ended = this.#options.meter.takeEnded()
    if (wanted && ended.length > 0) await this.#system().write((tx) => addEnded(tx, ended))
  }

  async #noteSilence(since: Date): Promise<void> {
    const shards = await this.#system().write(async (tx) => {
      const silent = await lockByRunnerSilence(tx, 'silent', since)
      const heard = await lockByRunnerSilence(tx, 'heard', since)
      const changes = [
        ...silent.map((agent): AgentChange => {
          return { agent, event: 'degrade', intent: agent.intent, reason: 'its runner is silent' }
        }),
        ...heard.map((agent): AgentChange => ({ agent, event: 'recover', intent: agent.intent })),
      ]
      await changeAgents(tx, changes, this.#database.clock.now())
      return heard.map(shardOf)
    })
    if (shards.length > 0) await this.#options.onShards(shards)
  }

  async #noteFaults(): Promise<void> {
    const now = this.#database.clock.monotonic()
    for (const { tenant, agentId, reason } of this.#options.meter.takeFailing()) {
      const before = this.#resting.get(agentId)
      const ms = before === undefined ? shortestRestMs : Math.min(longestRestMs, before.ms * 2)
      this.#resting.set(agentId, { tenant, ms, until: now + ms })
      await this.#changeIf(tenant, agentId, ['healthy', 'degraded', 'starting'], { event: 'fail', reason })
    }
    for (const [agentId, rest] of this.#resting) {
      if (rest.until > now || rest.until === 0) continue
      // The entry stays: should it fail on trial, it rests longer.
      this.#resting.set(agentId, { ...rest, until: 0 })
      const reason = 'it has rested and is tried again'
      const agent = await this.#changeIf(rest.tenant, agentId, ['unhealthy'], { event: 'recover', reason })
      if (agent !== null) await this.#options.onShards([shardOf(agent)])
    }
  }

  async #changeIf(
    tenant: TenantId,
    id: AgentId,
    states: readonly AgentRow['state'][],
    change: Pick<AgentChange, 'event'> & { readonly reason: string },
  ): Promise<AgentRow | null> {
    return this.#system().write(async (tx) => {
      const agent = await lockAgent(tx, tenant, id)
      if (agent === null || !states.includes(agent.state)) return null
      const [changed] = await changeAgents(tx, [{ agent, intent: agent.intent, ...change }], this.#database.clock.now())
      return changed!
    })
  }

  /** Agents that are to go and hold nothing: the registry forgets them, and whoever hosts them sees it. */
  async #remove(): Promise<void> {
    await this.#system().write(async (tx) => {
      const now = this.#database.clock.now()
      const gone = await lockRemovable(tx, 100)
      const draining = gone.filter((agent) => agent.state === 'draining')
      const stopping = await changeAgents(
        tx,
        draining.map((agent): AgentChange => ({ agent, event: 'stop', intent: 'remove' })),
        now,
      )
      await changeAgents(
        tx,
        stopping.map((agent): AgentChange => ({ agent, event: 'lose', intent: 'remove', reason: 'removed' })),
        now,
      )
      await deleteAgents(tx, gone)
    })
  }

  /** Stops what this process hosts and the registry no longer knows. */
  async #stopForgotten(): Promise<void> {
    const { host, meter } = this.#options
    const running = host?.running() ?? []
    if (host === null || running.length === 0) return
    const known = await this.#system().read((tx) => registeredOf(tx, running))
    for (const id of running.filter((agent) => !known.has(agent))) {
      await host.stop(id)
      meter.forget(id)
      this.#resting.delete(id)
    }
  }

  async #size(tenant: TenantId, pool: string, room: number): Promise<void> {
    const { host } = this.#options
    const now = this.#database.clock.now()
    const done = await this.#system().write(async (tx) => {
      const size = await claimPool(tx, tenant, pool)
      if (size === null) return null
      const moves = sizePool(await lockPoolAgents(tx, tenant, pool), size)
      const { promote, recall, drain } = moves
      await changeAgents(
        tx,
        [
          ...promote.map((agent): AgentChange => ({ agent, event: 'ready', intent: null })),
          ...recall.map((agent): AgentChange => ({ agent, event: 'resume', intent: null })),
          ...drain.map((agent): AgentChange => {
            return { agent, event: 'drain', intent: 'remove', reason: `${pool} is to have ${size.desired}` }
          }),
        ],
        now,
      )
      const wanted = Math.min(moves.start + moves.startWarm, startedAtOnce)
      const elsewhere = await this.#planElsewhere(tx, tenant, pool, wanted, room)
      const most = Math.min(room, wanted - elsewhere.length)
      const here = Array.from({ length: most }, () => host!.plan(tenant, pool))
      const planned = [...here, ...elsewhere]
      await announceAgents(tx, planned.slice(0, moves.start), null, now)
      await announceAgents(tx, planned.slice(moves.start), 'warm', now)
      return {
        working: here.slice(0, moves.start),
        warm: here.slice(moves.start),
        elsewhere,
        woken: promote.length + recall.length,
      }
    })
    if (done === null) return
    // They learn of it with their next call; until they say that they run, agents there take nothing.
    for (const id of new Set(done.elsewhere.map(({ runnerId }) => runnerId))) this.#options.joined?.wake(id)
    await this.#startAll(done.working, done.warm)
    if (done.woken + done.working.length > 0) await this.#options.onShards([{ tenant, pool }])
  }

  /** The part of `count` new agents that goes to runners that joined by URL, beside those for which there is room here. */
  async #planElsewhere(
    tx: Tx,
    tenant: TenantId,
    pool: string,
    count: number,
    room: number,
  ): Promise<readonly PlannedAgent[]> {
    const { joined, host } = this.#options
    if (joined === undefined || count === 0) return []
    const since = new Date(this.#database.clock.now().getTime() - silenceMs)
    const present = host?.running().length ?? 0
    return planOnJoined(tx, joined, { tenant, pool, since }, (rooms) =>
      shareOut(count, [{ present, most: room === 0 ? 0 : present + room }, ...rooms]).slice(1),
    )
  }

  /** After one that cannot be started, those behind it are not tried: all are taken back, and the pool rests. */
  async #startAll(working: readonly PlannedAgent[], warm: readonly PlannedAgent[]): Promise<void> {
    const { host, onError } = this.#options
    const planned = [...working, ...warm]
    for (const [n, agent] of planned.entries()) {
      const { tenant, agentId, pool } = agent.registration
      const key = `${tenant}/${pool}`
      try {
        await host!.start(agent)
      } catch (error) {
        onError(error)
        const ms = Math.min(longestStartRestMs, (this.#startRests.get(key)?.ms ?? shortestStartRestMs / 2) * 2)
        this.#startRests.set(key, { ms, until: this.#database.clock.monotonic() + ms })
        for (const left of planned.slice(n)) await this.#takeBack(left, reasonOf(error))
        return
      }
      this.#startRests.delete(key)
      if (n < working.length) {
        await this.#changeIf(tenant, agentId, ['starting'], { event: 'ready', reason: 'started' })
      }
    }
  }

  async #takeBack({ registration: { tenant, agentId } }: PlannedAgent, reason: string): Promise<void> {
    await this.#options.host!.stop(agentId)
    await this.#changeIf(tenant, agentId, ['starting', 'healthy'], { event: 'lose', reason })
  }

  async #prune(): Promise<void> {
    const now = this.#database.clock.monotonic()
    if (now - this.#prunedAt < pruneEveryMs) return
    this.#prunedAt = now
    const before = new Date(this.#database.clock.now().getTime() - goneMs)
    await this.#system().write(async (tx) => {
      await this.#options.runners.prune(tx, before)
      await prunePoolHosts(tx)
    })
  }

  #system() {
    return this.#database.asSystem('agents')
  }
}

function shardOf({ tenant, pool }: AgentRow): Shard {
  return { tenant, pool }
}

function reasonOf(error: unknown): string {
  return isAppError(error) ? error.message : 'it could not be started'
}
