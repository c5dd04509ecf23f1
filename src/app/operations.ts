import { systemIds, type TenantId } from '../foundation/kernel/ids.ts'
import type { Database, ReadTx } from '../foundation/platform/database/database.ts'
import type { Route } from '../foundation/platform/http/route.ts'
import type { Loop } from '../foundation/runtime/loop.ts'
import { agentErrors } from '../orchestration/agents/agents-errors.ts'
import type { AgentHost } from '../orchestration/agents/agents-host.ts'
import { AgentsJob } from '../orchestration/agents/agents-jobs.ts'
import { agentRoutes } from '../orchestration/agents/agents-routes.ts'
import { AgentsService } from '../orchestration/agents/agents-service.ts'
import { readPoolHosts, readSizedPools } from '../orchestration/agents/pool-hosts-store.ts'
import { poolRoutes } from '../orchestration/agents/pools-routes.ts'
import { nextPoolRev, readPoolFigures, setPoolSize } from '../orchestration/agents/pools-store.ts'
import { agentLimitId, keptLimits, limitAgents } from '../orchestration/budgets/agent-limits.ts'
import { contextsOfAgent } from '../orchestration/context-growth/context-use-store.ts'
import { runnerChannel } from '../orchestration/coordinator/exchange-service.ts'
import { explainWaiting } from '../orchestration/coordinator/explain-waiting.ts'
import { admitWaiting, holdTasks } from '../orchestration/coordinator/sql/hold-tasks.ts'
import { LivenessJob } from '../orchestration/liveness/liveness-jobs.ts'
import { livenessRoutes } from '../orchestration/liveness/liveness-routes.ts'
import { type AgentLimits, LivenessService, type RunControl } from '../orchestration/liveness/liveness-service.ts'
import type { OutputWatch } from '../orchestration/liveness/output-watch.ts'
import { bindTasks, lockUnbound } from '../orchestration/runs/bind-budget.ts'
import { readEndedRuns } from '../orchestration/runs/ended-runs.ts'
import { leasesOfAgent } from '../orchestration/runs/leases-of-agent.ts'
import * as livenessFigures from '../orchestration/runs/liveness-figures.ts'
import { readQueue } from '../orchestration/runs/queue-figures.ts'
import { queueRoutes } from '../orchestration/runs/queue-routes.ts'
import type { RepoAt } from '../orchestration/runs/runs-service.ts'
import { runStates } from '../orchestration/runs/states-contract.ts'
import { ScalingJob } from '../orchestration/scaling/scaling-jobs.ts'
import { scalingRoutes } from '../orchestration/scaling/scaling-routes.ts'
import { type PoolPort, ScalingService } from '../orchestration/scaling/scaling-service.ts'
import type { ScheduledRuns } from '../orchestration/schedules/fire-schedule.ts'
import { pauseSchedules } from '../orchestration/schedules/pause-schedules.ts'
import { startSchedules } from '../orchestration/schedules/schedules-jobs.ts'
import { scheduleRoutes } from '../orchestration/schedules/schedules-routes.ts'
import { SchedulesService } from '../orchestration/schedules/schedules-service.ts'
import type { Orchestration } from './orchestration.ts'
import { isTenantOpen } from './tenant-work.ts'

export interface OperationsOptions {
  readonly database: Database
  readonly orchestration: Orchestration
  readonly repoAt: (path: string) => Promise<RepoAt>
  /** Most tasks at a time of runs that do not say. */
  readonly parallel: number | null
  /** What attempts of this process print. */
  readonly output: OutputWatch
  readonly onError: (error: unknown) => void
}

/** What keeps a fleet going by itself: the registry of agents, scaling, schedules and liveness. */
export interface Operations {
  readonly routes: readonly Route[]
  /** Starts the loops that change things; the caller stops them. `host` is where this process starts agents, if anywhere. */
  start(host: AgentHost | null): readonly Loop[]
  /** Starts what a process needs that only runs agents: servers see to the rest. */
  join(host: AgentHost): readonly Loop[]
}

export function createOperations(options: OperationsOptions): Operations {
  const { database, orchestration, repoAt, parallel, output, onError } = options
  const { catalog, dispatch, runners, meter, tickShards: onShards } = orchestration
  const agents = new AgentsService({ database, leasesOf: leasesOfAgent, contextsOf: contextsOfAgent, onShards })
  const schedules = new SchedulesService({ database, catalog, repoAt, parallel })
  const runs = scheduledRunsOf(orchestration)
  const scaling = new ScalingService({ database, pools: poolPort })
  const limits = agentLimitsOf(orchestration)
  const control = runControlOf(orchestration)
  const liveness = new LivenessService({ database, ids: systemIds, control, limits, dispatch })
  const joined = { ids: systemIds, wake: (id: string) => database.notify(runnerChannel(id)) }
  const startRegistry = (host: AgentHost | null) =>
    new AgentsJob(database, { runners, host, joined, meter, onShards, onError }).start()
  const startWatch = () =>
    new LivenessJob(database, { service: liveness, figures: livenessFigures, limits, output, onError }).start()
  return {
    routes: [
      ...agentRoutes(agents),
      ...poolRoutes(database),
      ...queueRoutes(database, explainWaiting),
      ...scalingRoutes(scaling),
      ...scheduleRoutes(schedules),
      ...livenessRoutes(liveness),
    ],
    start(host) {
      const registry = startRegistry(host)
      const scaler = new ScalingJob(database, { pools: poolPort, onResize: () => registry.poke(), onError }).start()
      const endedRuns = readEndedRuns
      const clock = startSchedules(database, { runs, endedRuns, repoAt, isOpen: isTenantOpen, dispatch, onError })
      return [registry, scaler, clock, startWatch()]
    },
    join: (host) => [startRegistry(host), startWatch()],
  }
}

/** Pools as the scaler needs them: sizes from the registry, what waits from the queue. */
export const poolPort: PoolPort = {
  async read(tx: ReadTx, tenant: TenantId, pool: string) {
    const figures = await readPoolFigures(tx, tenant, pool)
    if (figures === null) return null
    const queue = await readQueue(tx, tenant)
    const ready = queue.find((figure) => figure.pool === pool && figure.state === 'ready')
    return { ...figures, queueDepth: ready?.count ?? 0, oldestAt: ready?.oldestAt ?? null }
  },
  hosts: readPoolHosts,
  sized: readSizedPools,
  resize: setPoolSize,
  nextRev: nextPoolRev,
  missing(pool) {
    throw agentErrors['pool-not-found'](`there is no pool ${pool}`)
  },
}

export function scheduledRunsOf({ catalog, starter, steering }: Orchestration): ScheduledRuns {
  return {
    async start(tx, tenant, start, now) {
      const { definition, version } = await catalog.store(tx, tenant, start.what, now)
      const inputs = catalog.resolveInputs(definition, start.inputs)
      return starter.begin(tx, { tenant, definition, version, from: { ...start, inputs } }, now)
    },
    cancel: (tx, refs, reason, now) => steering.cancelOpen(tx, refs, reason, now),
  }
}

/** How many agents of a tenant may be at work, kept as a budget. */
export function agentLimitsOf({ database, dispatch }: Orchestration): AgentLimits {
  return {
    kept: keptLimits,
    budgetOf: agentLimitId,
    keep: (tenant, limit) =>
      limitAgents(database, tenant, limit, {
        lockUnbound,
        bind: bindTasks,
        hold: holdTasks,
        async wake(tx, { tenant, name, most }, now) {
          const shards = await admitWaiting(tx, [{ tenant, reason: `budget:${name}`, limit: most }], now)
          if (shards.length > 0) await dispatch(tx, shards, now)
        },
      }),
  }
}

/** Runs as the detectors steer them. Those that a pause does not apply to are left alone. */
export function runControlOf({ steering }: Orchestration): RunControl {
  return {
    async pause(tx, tenant, runs, stop, now) {
      const locked = await steering.lock(
        tx,
        runs.map((runId) => ({ tenant, runId })),
      )
      const open = locked.filter((run) => runStates[run.state].pause !== null)
      const shards = []
      for (const run of open) shards.push(...(await steering.pause(tx, run, now)))
      const paused = open.map((run) => run.id)
      if (stop === null) return { paused, shards }
      // What was paused before may still be at work on what it had begun.
      const still = locked.filter((run) => run.state === 'paused' || open.includes(run))
      const { stopped, shards: freed } = await steering.withdraw(tx, still, stop, now)
      return { paused: [...new Set([...paused, ...stopped])], shards: [...shards, ...freed] }
    },
    async resume(tx, tenant, runs, now) {
      const locked = await steering.lock(
        tx,
        runs.map((runId) => ({ tenant, runId })),
      )
      const shards = []
      for (const run of locked) if (run.state === 'paused') shards.push(...(await steering.resume(tx, run, now)))
      return shards
    },
    cancel: (tx, tenant, runs, reason, now) =>
      steering.cancelOpen(
        tx,
        runs.map((runId) => ({ tenant, runId })),
        reason,
        now,
      ),
    pauseSchedules,
  }
}
