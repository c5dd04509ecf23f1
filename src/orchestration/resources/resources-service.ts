import { type Dimension, dimensions } from '../../foundation/balancing/dimensions-contract.ts'
import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { JsonObject } from '../../foundation/kernel/json.ts'
import type { Database, ReadTx } from '../../foundation/platform/database/database.ts'
import { parseLane } from '../coordinator/lane-contract.ts'
import type { HostFigures } from '../monitor/host-figures.ts'
import type { ResolvedTask } from '../workflows/workflow-contract.ts'
import {
  addAmounts,
  nothingHeld,
  type ResourceAmounts,
  readAmounts,
  type SomeResources,
  usualRequest,
  utilisation,
} from './amounts-contract.ts'
import { optimize, type StepUsage, totalSaving } from './optimize.ts'
import type { Optimization, ResourcesView } from './resources-contract.ts'

export interface AgentShape {
  readonly id: string
  readonly pool: string
  readonly state: string
  readonly runnerId: string
  readonly slots: number
  readonly used: number
  readonly labels: JsonObject
}

export interface HeldLanes {
  readonly agentId: string
  readonly runnerId: string
  readonly lane: string
  readonly count: number
}

export interface ResourcesServiceOptions {
  readonly database: Database
  readonly host: { read(): Promise<HostFigures> }
  /** What the owners of the tables tell of them; the context provides it. */
  readonly agentsOf: (tx: ReadTx, tenant: TenantId) => Promise<readonly AgentShape[]>
  readonly heldLanes: (tx: ReadTx, tenant: TenantId) => Promise<readonly HeldLanes[]>
  readonly usageOfSteps: (
    tx: ReadTx,
    tenant: TenantId,
    filter: { readonly since: Date; readonly workflow: string | null },
  ) => Promise<readonly (StepUsage & { readonly sampleTask: string })[]>
  readonly specsOf: (
    tx: ReadTx,
    tasks: readonly { readonly tenant: TenantId; readonly taskId: string }[],
  ) => Promise<ReadonlyMap<string, ResolvedTask>>
}

const day = 86_400_000
const usualDays = 7

/** Looks at resources: what is handed out, what is held, what was used. Hands out nothing itself. */
export class ResourcesService {
  readonly #options: ResourcesServiceOptions

  constructor(options: ResourcesServiceOptions) {
    this.#options = options
  }

  /** `ofAll`: with the machine, which all tenants share. */
  async show(tenant: TenantId, ofAll: boolean): Promise<ResourcesView> {
    const { database, host, agentsOf, heldLanes } = this.#options
    const [figures, own] = await Promise.all([
      ofAll ? host.read() : null,
      database.forTenant(tenant).read(async (tx) => ({
        agents: await agentsOf(tx, tenant),
        lanes: await heldLanes(tx, tenant),
      })),
    ])
    const agents = own.agents.map((agent) => {
      const held = heldIn(own.lanes.filter((lane) => lane.agentId === agent.id))
      const capacity = readAmounts(agent.labels.resources)
      const { id, pool, state, slots, used } = agent
      return { id, pool, state, slots, used, capacity, held, utilisation: utilisation(held, capacity ?? {}) }
    })
    return {
      at: database.clock.now().toISOString(),
      host: figures === null ? null : hostView(figures),
      agents,
      pools: [...Map.groupBy(agents, (agent) => agent.pool)].map(([pool, members]) => poolView(pool, members)),
      runners: runnersOf(own.agents, own.lanes),
    }
  }

  async optimize(
    tenant: TenantId,
    filter: { readonly workflow?: string | undefined; readonly days?: number | undefined },
  ): Promise<{ since: string; items: Optimization[]; saving: Optimization['saving'] }> {
    const { database, usageOfSteps, specsOf } = this.#options
    const since = new Date(database.clock.now().getTime() - (filter.days ?? usualDays) * day)
    const items = await database.forTenant(tenant).read(async (tx) => {
      const usages = await usageOfSteps(tx, tenant, { since, workflow: filter.workflow ?? null })
      const samples = usages.map(({ sampleTask }) => ({ tenant, taskId: sampleTask }))
      const specs = await specsOf(tx, samples)
      return usages.map(({ sampleTask, ...usage }) => optimize(usage, requestOf(specs.get(sampleTask))))
    })
    // Most saved first; what should be larger before what may stay.
    const weight = ({ saving }: Optimization) => Math.abs(saving.coreHours) + Math.abs(saving.memoryGbHours)
    items.sort((a, b) => weight(b) - weight(a))
    return { since: since.toISOString(), items, saving: totalSaving(items) }
  }
}

function heldIn(lanes: readonly HeldLanes[]): ResourceAmounts {
  return lanes.reduce(
    (sum, { lane, count }) => addAmounts(sum, parseLane(lane).resources ?? usualRequest, count),
    nothingHeld,
  )
}

function requestOf(spec: ResolvedTask | undefined): ResourceAmounts {
  if (spec === undefined || !('resources' in spec)) return usualRequest
  const { cpuCores, memoryBytes, diskBytes, networkMbps } = spec.resources
  return { cpu: cpuCores, memory: memoryBytes, disk: diskBytes, network: networkMbps * 125_000 }
}

function poolView(pool: string, agents: readonly ResourcesView['agents'][number][]): ResourcesView['pools'][number] {
  const held = agents.reduce((sum, agent) => addAmounts(sum, agent.held), nothingHeld)
  const capacity: Partial<Record<Dimension, number>> = {}
  for (const name of dimensions) {
    // Bounded only where each of them is.
    if (!agents.every((agent) => agent.capacity?.[name] !== undefined)) continue
    capacity[name] = agents.reduce((sum, agent) => sum + agent.capacity![name]!, 0)
  }
  return {
    pool,
    agents: agents.length,
    slots: agents.reduce((sum, agent) => sum + agent.slots, 0),
    used: agents.reduce((sum, agent) => sum + agent.used, 0),
    held,
    capacity,
    utilisation: utilisation(held, capacity),
  }
}

function runnersOf(agents: readonly AgentShape[], lanes: readonly HeldLanes[]): ResourcesView['runners'] {
  const capacities = new Map<string, SomeResources>()
  for (const { runnerId, labels } of agents) {
    const capacity = readAmounts(labels['runner-resources'])
    if (capacity !== null) capacities.set(runnerId, capacity)
  }
  return [...capacities].map(([id, capacity]) => {
    const held = heldIn(lanes.filter((lane) => lane.runnerId === id))
    return { id, capacity, held, utilisation: utilisation(held, capacity) }
  })
}

function hostView(host: HostFigures): NonNullable<ResourcesView['host']> {
  return {
    capacity: {
      cpu: host.cores,
      memory: host.memory.totalBytes,
      ...(host.disk === null ? {} : { disk: host.disk.totalBytes }),
      ...(host.network?.capacity ? { network: host.network.capacity } : {}),
    },
    utilisation: Object.fromEntries(Object.entries(host.utilisation).filter(([, share]) => share !== null)),
  }
}
