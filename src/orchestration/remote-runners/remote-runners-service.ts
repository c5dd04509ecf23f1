import type { AgentId, IdSource, RunnerId, TaskId, TenantId } from '../../foundation/kernel/ids.ts'
import type { JsonValue } from '../../foundation/kernel/json.ts'
import type { Database, ReadTx, Tx } from '../../foundation/platform/database/database.ts'
import type { Principal } from '../../foundation/platform/http/principal.ts'
import type { AgentOrders } from '../agents/joined-agents.ts'
import type { AgentTemplate } from '../agents/pool-hosts-store.ts'
import type {
  AttemptReport,
  ExchangePort,
  ExchangeReply,
  ExchangeRequest,
  RunnerRegistration,
} from '../runners/exchange-contract.ts'
import type { LogSink } from '../runners/log-sink.ts'
import type { HeldLease, RunnerLease } from '../runs/leases-of-runner.ts'
import type { KeepNotes } from '../tool-calls/tool-call-notes.ts'
import type { ToolCallNote } from '../tool-calls/tool-calls-contract.ts'
import type { WireReport } from './remote-runners-contract.ts'
import { remoteRunnerErrors } from './remote-runners-errors.ts'
import { deleteRemoteRunner, findRemoteRunners, insertRemoteRunner } from './remote-runners-store.ts'
import { agreeOn, runnerContract } from './runner-versions-contract.ts'

type Lease = { readonly taskId: string; readonly fence: number }

/** What the parts that own leases, runners and agents provide. */
export interface RemoteRunnerSources {
  register(tx: Tx, registration: RunnerRegistration, now: Date): Promise<void>
  findLeases(tx: ReadTx, tenant: TenantId, leases: readonly Lease[]): Promise<readonly RunnerLease[]>
  leaseOf(tx: ReadTx, tenant: TenantId, runnerId: string, fence: number): Promise<HeldLease | null>
  agentsOf(tx: ReadTx, tenant: TenantId, runnerId: string): Promise<readonly AgentId[]>
  drain(tx: Tx, tenant: TenantId, agents: readonly AgentId[], reason: string, now: Date): Promise<number>
  giveUp(runnerIds: readonly string[]): Promise<void>
  /** Says what agents can be started on a runner. */
  offer(tx: Tx, tenant: TenantId, runnerId: string, templates: readonly AgentTemplate[], most: number): Promise<void>
  /** Nothing more is started there. */
  withdraw(tx: Tx, tenant: TenantId, runnerId: string): Promise<void>
  /** Notes which agents a runner has; says which to start and to stop. */
  settleAgents(tenant: TenantId, runnerId: string, running: readonly string[]): Promise<AgentOrders>
}

export interface RemoteRunnersOptions {
  readonly database: Database
  readonly ids: IdSource
  readonly port: ExchangePort
  readonly logs: LogSink
  readonly keepToolCalls: KeepNotes
  readonly sources: RemoteRunnerSources
  /** How long hints are gathered for a runner that does not call. Default 60,000 ms. */
  readonly forgetMs?: number
}

export type RemoteAgent = Omit<RunnerRegistration['agents'][number], 'tenant' | 'agentId'> & { readonly name: string }

export interface RunnerAnnouncement {
  readonly host: string
  readonly pid: number
  readonly contract: number
  readonly agents: readonly RemoteAgent[]
  readonly templates: readonly AgentTemplate[]
  readonly most: number
}

interface Known {
  readonly unsubscribe: () => void
  heardAt: number
  /** Agents that it runs, as it has told this server last. */
  agents: ReadonlySet<string>
}

const monthMs = 30 * 86_400_000

/**
 * Runners that speak for one tenant over HTTP. Whatever such a runner says is of its own tenant, of a runner that joined
 * the same way, and of a present lease, or it is left out: it can neither see nor end the work of anybody else.
 */
export class RemoteRunners {
  readonly #options: RemoteRunnersOptions
  readonly #known = new Map<string, Known>()

  constructor(options: RemoteRunnersOptions) {
    this.#options = options
  }

  /** Errors: `merges-elsewhere`, `runner-too-old`. */
  async register(by: Principal, { host, pid, contract, agents, templates, most }: RunnerAnnouncement) {
    const agreed = agreeOn(contract, runnerContract)
    if ('older' in agreed && agreed.older === 'runner')
      throw remoteRunnerErrors['runner-too-old'](`it knows version ${contract}, this server ${runnerContract}`)
    const merging = [...agents, ...templates].find(({ capabilities }) => capabilities.includes('merge'))
    if (merging !== undefined)
      throw remoteRunnerErrors['merges-elsewhere'](`an agent of its pool ${merging.pool} says that it merges`)
    const { database, ids, sources } = this.#options
    const { tenant } = by
    const runnerId = ids.next<RunnerId>('rnr')
    const now = database.clock.now()
    const given = agents.map(({ name, ...agent }) => ({ ...agent, tenant, agentId: `${runnerId}.${name}` as AgentId }))
    await database.asSystem('remote-runners').write(async (tx) => {
      await insertRemoteRunner(tx, { tenant, id: runnerId, by: by.id, at: now })
      await sources.register(tx, { runnerId, host, pid, agents: given }, now)
      await sources.offer(tx, tenant, runnerId, templates, most)
    })
    return { runnerId, tenant, agents: given.map((agent) => agent.agentId), now }
  }

  /** Errors: `runner-not-found`. */
  async exchange(
    { tenant }: Principal,
    runnerId: string,
    request: Omit<ExchangeRequest, 'runnerId' | 'reports' | 'progress'> & {
      readonly reports: readonly WireReport[]
      readonly progress: readonly (Lease & { readonly note?: string | undefined })[]
      /** All agents that it runs; left out: as told before. */
      readonly agents?: readonly string[] | undefined
    },
    signal: AbortSignal,
  ): Promise<ExchangeReply & { readonly now: Date; readonly agents?: AgentOrders }> {
    const known = await this.#assertKnown(tenant, runnerId)
    const { agents: running, ...body } = request
    const { database, port } = this.#options
    const now = database.clock.now()
    const present = await this.#presentLeases(tenant, runnerId, [...request.reports, ...request.progress])
    const reply = await port.exchange(
      {
        ...body,
        runnerId: runnerId as RunnerId,
        reports: request.reports.filter(present).map((report) => reportOf(report, tenant, now)),
        // When it was made is for us to say: a time to come would keep a lease for ever.
        progress: request.progress.filter(present).map(({ taskId, fence, note }) => ({
          ...{ tenant, taskId: taskId as TaskId, fence, at: now.toISOString() },
          ...(note === undefined ? {} : { note }),
        })),
      },
      signal,
    )
    const foreign = reply.assignments.find((assignment) => assignment.tenant !== tenant)
    if (foreign !== undefined) throw new Error(`the runner ${runnerId} of ${tenant} was given work of another tenant`)
    if (running !== undefined) known.agents = new Set(running)
    // What it was just given may be for agents that it has not heard of.
    const unheard = reply.assignments.some(({ agentId }) => !known.agents.has(agentId))
    if (running === undefined && !unheard) return { ...reply, now: database.clock.now() }
    const agents = await this.#options.sources.settleAgents(tenant, runnerId, [...known.agents])
    return { ...reply, agents, now: database.clock.now() }
  }

  /** Yields when there may be something to fetch, and once at the beginning. Errors: `runner-not-found`. */
  async hints({ tenant }: Principal, runnerId: string, signal: AbortSignal): Promise<AsyncIterable<{ wake: true }>> {
    await this.#assertKnown(tenant, runnerId)
    return wakes((wake) => this.#options.port.onHint(runnerId as RunnerId, wake), signal)
  }

  /** Errors: `runner-not-found`. */
  async drain({ tenant }: Principal, runnerId: string): Promise<number> {
    await this.#assertKnown(tenant, runnerId)
    const { database, sources } = this.#options
    return database.forTenant(tenant).write(async (tx) => {
      await sources.withdraw(tx, tenant, runnerId)
      const agents = await sources.agentsOf(tx, tenant, runnerId)
      return sources.drain(tx, tenant, agents, 'its runner ends', database.clock.now())
    })
  }

  /** Errors: `runner-not-found`. */
  async remove({ tenant }: Principal, runnerId: string): Promise<void> {
    await this.#assertKnown(tenant, runnerId)
    const { database, sources } = this.#options
    await sources.giveUp([runnerId])
    await database.forTenant(tenant).write(async (tx) => {
      await sources.withdraw(tx, tenant, runnerId)
      await deleteRemoteRunner(tx, tenant, runnerId)
    })
    this.#known.get(`${tenant}/${runnerId}`)?.unsubscribe()
    this.#known.delete(`${tenant}/${runnerId}`)
  }

  /** Keeps output of present leases; returns how many chunks that were. Errors: `runner-not-found`. */
  async appendLogs(
    { tenant }: Principal,
    runnerId: string,
    chunks: readonly (Lease & { seq: number; stream: 'stdout' | 'stderr'; bytes: string })[],
  ): Promise<number> {
    const { database, logs } = this.#options
    const leaseOf = await this.#leasesOf(tenant, runnerId, chunks)
    const at = database.clock.now().toISOString()
    const kept = chunks.flatMap((chunk) => {
      const lease = leaseOf(chunk)
      if (lease === undefined) return []
      const { seq, stream, bytes } = chunk
      return [{ ...lease, tenant, seq, stream, at, bytes: Buffer.from(bytes, 'base64') }]
    })
    if (kept.length > 0) await logs.append(kept)
    return kept.length
  }

  /** Resolves to the number of notes that are of present leases of the runner. Errors: `runner-not-found`. */
  async appendToolCalls(
    { tenant }: Principal,
    runnerId: string,
    calls: readonly (Lease & ToolCallNote)[],
  ): Promise<number> {
    const leaseOf = await this.#leasesOf(tenant, runnerId, calls)
    const kept = calls.flatMap((call) => {
      const lease = leaseOf(call)
      return lease === undefined ? [] : [{ ...call, ...lease, tenant }]
    })
    if (kept.length > 0) await this.#options.keepToolCalls(kept)
    return kept.length
  }

  /** The present leases of the runner among these. */
  async #leasesOf(tenant: TenantId, runnerId: string, of: readonly Lease[]) {
    await this.#assertKnown(tenant, runnerId)
    const { database, sources } = this.#options
    const distinct = [...new Map(of.map((each) => [each.fence, each])).values()]
    const leases = await database.forTenant(tenant).read((tx) => sources.findLeases(tx, tenant, distinct))
    const own = new Map(leases.filter((lease) => lease.runnerId === runnerId).map((lease) => [lease.fence, lease]))
    return ({ taskId, fence }: Lease): RunnerLease | undefined => {
      const lease = own.get(fence)
      return lease?.taskId === taskId ? lease : undefined
    }
  }

  /** What the runner holds under a fence. Errors: `runner-not-found`, `lease-not-held`. */
  async lease({ tenant }: Principal, runnerId: string, fence: number) {
    await this.#assertKnown(tenant, runnerId)
    const { database, sources } = this.#options
    const lease = await database.forTenant(tenant).read((tx) => sources.leaseOf(tx, tenant, runnerId, fence))
    if (lease === null) throw remoteRunnerErrors['lease-not-held'](`the runner ${runnerId} holds no lease ${fence}`)
    return lease
  }

  close(): void {
    for (const { unsubscribe } of this.#known.values()) unsubscribe()
    this.#known.clear()
  }

  /** Hints that come between two calls are gathered here, whichever server the runner listens to. */
  async #assertKnown(tenant: TenantId, runnerId: string): Promise<Known> {
    const { database, port, forgetMs = 60_000 } = this.#options
    const key = `${tenant}/${runnerId}`
    const now = database.clock.monotonic()
    const known = this.#known.get(key)
    if (known !== undefined) {
      known.heardAt = now
      return known
    }
    const found = await database.forTenant(tenant).read((tx) => findRemoteRunners(tx, tenant, [runnerId]))
    if (!found.has(runnerId)) throw remoteRunnerErrors['runner-not-found'](`there is no runner ${runnerId}`)
    for (const [other, { heardAt, unsubscribe }] of this.#known) {
      if (now - heardAt < forgetMs) continue
      this.#known.delete(other)
      unsubscribe()
    }
    const beside = this.#known.get(key)
    if (beside !== undefined) return beside
    const added = { heardAt: now, agents: new Set<string>(), unsubscribe: port.onHint(runnerId as RunnerId, () => {}) }
    this.#known.set(key, added)
    return added
  }

  /**
   * Whether a lease is held by a runner that joined by URL: this one, or one that it was before it was started again, whose
   * reports it still has to tell.
   */
  async #presentLeases(tenant: TenantId, runnerId: string, leases: readonly Lease[]) {
    if (leases.length === 0) return () => false
    const { database, sources } = this.#options
    const distinct = [...new Map(leases.map((lease) => [lease.fence, lease])).values()]
    const held = await database.forTenant(tenant).read(async (tx) => {
      const found = await sources.findLeases(tx, tenant, distinct)
      const others = [...new Set(found.map((lease) => lease.runnerId))].filter((id) => id !== runnerId)
      const remote = others.length === 0 ? new Set<string>() : await findRemoteRunners(tx, tenant, others)
      return found.filter((lease) => lease.runnerId === runnerId || remote.has(lease.runnerId))
    })
    const keys = new Set(held.map(({ taskId, fence }) => `${taskId}/${fence}`))
    return ({ taskId, fence }: Lease) => keys.has(`${taskId}/${fence}`)
  }
}

function reportOf(report: WireReport, tenant: TenantId, now: Date): AttemptReport {
  const foreign = report.artifacts.find(({ blob }) => !blob.startsWith(`${tenant}/`))
  if (foreign !== undefined) {
    throw remoteRunnerErrors['upload-incomplete'](`the artifact ${foreign.name} was not uploaded by this runner`)
  }
  const { error, usage } = report
  return {
    ...report,
    tenant,
    taskId: report.taskId as TaskId,
    output: report.output as JsonValue,
    startedAt: atMost(report.startedAt, now),
    endedAt: atMost(report.endedAt, now),
    error: error === null ? null : (without(error) as AttemptReport['error']),
    usage: without({
      ...usage,
      spending: usage.spending === undefined ? undefined : without(usage.spending),
    }) as AttemptReport['usage'],
  }
}

/** Clocks of other machines are not believed beyond what is possible. */
function atMost(time: string, now: Date): string {
  const ms = Math.min(now.getTime(), Math.max(now.getTime() - monthMs, Date.parse(time)))
  return new Date(ms).toISOString()
}

/** Without the fields that are undefined. */
function without(fields: object): object {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
}

/** One wake for any number of hints that come while the reader is busy. */
async function* wakes(
  subscribe: (wake: () => void) => () => void,
  signal: AbortSignal,
): AsyncGenerator<{ wake: true }> {
  let pending = true
  let notify = () => {}
  const unsubscribe = subscribe(() => {
    pending = true
    notify()
  })
  const onAbort = () => notify()
  signal.addEventListener('abort', onAbort)
  try {
    while (!signal.aborted) {
      if (pending) {
        pending = false
        yield { wake: true }
      } else await new Promise<void>((resolve) => (notify = resolve))
      // The next round sees what came in the meantime.
    }
  } finally {
    signal.removeEventListener('abort', onAbort)
    unsubscribe()
  }
}
