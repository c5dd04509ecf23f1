import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { createAgentHost, type LocalAgentHost } from '../../src/app/agent-host.ts'
import { poolPort } from '../../src/app/operations.ts'
import type { AgentId } from '../../src/foundation/kernel/ids.ts'
import { systemIds } from '../../src/foundation/kernel/ids.ts'
import { createGit } from '../../src/foundation/platform/git/index.ts'
import { AgentsJob } from '../../src/orchestration/agents/agents-jobs.ts'
import { AgentsService } from '../../src/orchestration/agents/agents-service.ts'
import { createInlineAdapter } from '../../src/orchestration/agents/inline-adapter.ts'
import { noLogs } from '../../src/orchestration/runners/log-sink.ts'
import { Runner } from '../../src/orchestration/runners/runner.ts'
import { leasesOfAgent } from '../../src/orchestration/runs/leases-of-agent.ts'
import { ScalingJob } from '../../src/orchestration/scaling/scaling-jobs.ts'
import { ScalingService } from '../../src/orchestration/scaling/scaling-service.ts'
import { Workspaces } from '../../src/orchestration/workspaces/index.ts'
import { eachDatabase, type TestDatabase } from '../support/databases.ts'
import { TestPlatform, tenant } from '../support/platform.ts'

const closers: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close()
})

const waits = (count: number) =>
  `name: waits\nsteps:\n  each:\n    map: { over: [${Array.from({ length: count }, (_, n) => n).join(', ')}], step: { command: [wait, '\${{ item }}'] } }\n`

/** A replica: the platform, a host of agents that do what the test lets them, the registry and the scaler. */
function replica(use: TestDatabase, broken: { is: boolean } = { is: false }) {
  const platform = new TestPlatform(use)
  const { database, parts } = platform
  const folder = mkdtempSync(join(tmpdir(), 'leanvibe-scaling-'))
  const workspaces = new Workspaces({ folder, git: createGit(), clock: database.clock, alone: true })
  const held: (() => void)[] = []
  const adapter = createInlineAdapter({
    wait: () => new Promise((resolve) => held.push(() => resolve({}))),
  })
  const host: LocalAgentHost = createAgentHost({
    tenant,
    ids: systemIds,
    templates: new Map([
      [
        'default',
        (agentId) => ({
          registration: {
            ...{ tenant, agentId: agentId as AgentId, pool: 'default', kind: 'function', capabilities: [], labels: {} },
            slots: 1,
            weight: 1,
          },
          adapter,
          env: {},
          folders: false,
        }),
      ],
    ]),
    launch: (id, agent) => {
      if (broken.is) throw new Error('no program of that name')
      const runner = new Runner({
        ...{ id, port: parts.runnerPort, agents: [agent], workspaces, logs: noLogs, clock: database.clock },
        secrets: { read: () => Promise.reject(new Error('no secrets here')) },
        outbox: null,
        pollMs: 50,
        onError: (error) => platform.errors.push(error),
      })
      runner.start()
      return runner
    },
    giveUp: (ids) => parts.reaper.giveUp(ids),
  })
  const onError = (error: unknown) => platform.errors.push(error)
  const registry = new AgentsJob(database, {
    ...{ runners: parts.runners, host, meter: parts.meter, onShards: parts.tickShards, onError },
  })
  const scaler = new ScalingJob(database, { pools: poolPort, onResize: () => {}, onError })
  const scaling = new ScalingService({ database, pools: poolPort })
  const agents = new AgentsService({ database, leasesOf: leasesOfAgent, onShards: parts.tickShards })
  closers.push(async () => {
    for (const release of held.splice(0)) release()
    await host.close()
    rmSync(folder, { recursive: true, force: true })
    expect(platform.errors).toEqual([])
  })
  return {
    ...{ platform, host, registry, scaler, scaling, agents, held },
    /** The agents of the pool by state, with what is wanted of them. */
    async states() {
      const items = await agents.list(tenant, {})
      return items.map(({ state, intent }) => (intent === null ? state : `${state} ${intent}`)).sort()
    },
    /** Lets one look of the scaler and one of the registry pass. */
    async look() {
      await scaler.look()
      await registry.look()
    },
    /** Waits until so many tasks are at work here. */
    working: (count: number) => expect.poll(() => held.length, { timeout: 20_000, interval: 10 }).toBe(count),
    releaseAll() {
      for (const release of held.splice(0)) release()
    },
  }
}

const makePool = (use: TestDatabase) => use.owner(`insert into pools (tenant_id, name) values ('default', 'default')`)
const untilEnded = (platform: TestPlatform, id: string) =>
  expect.poll(async () => (await platform.run(id)).state, { timeout: 20_000, interval: 20 }).toBe('succeeded')

eachDatabase('scaling', (use) => {
  test('starts agents for what waits, and takes them away when there is nothing to do, down to none', async () => {
    await makePool(use())
    const { platform, scaling, look, working, releaseAll, states, host } = replica(use())
    const targetTracking = { windowMs: 20_000 }
    await scaling.setPolicy(
      tenant,
      'default',
      { strategy: 'target_tracking', min: 0, max: 5, everyMs: 5_000, idleMs: 20_000, targetTracking },
      'me',
    )
    await look()
    expect(await states()).toEqual([])
    const run = await platform.start(waits(7))
    platform.advance(5_000)
    await look()
    expect(await states()).toEqual(Array(5).fill('healthy'))
    await working(5)
    releaseAll()
    await working(2)
    releaseAll()
    await untilEnded(platform, run.id)
    for (let n = 0; n < 12; n++) {
      platform.advance(5_000)
      await look()
    }
    await look()
    expect(await states()).toEqual([])
    expect(host.running()).toEqual([])
    const history = await scaling.history(tenant, 'default', 10)
    expect(history.at(-1)).toMatchObject({ from: 0, to: 5, outcome: 'out', strategy: 'target_tracking' })
    expect(history[0]).toMatchObject({ to: 0, outcome: 'in' })
    const [explained] = await scaling.explain(tenant, 'default')
    expect(explained!.last).toMatchObject({ outcome: 'none', from: 0, to: 0 })
    const events = await use().owner<{ type: string; n: number }>(
      `select type, count(*)::int as n from events where subject_kind in ('pool', 'agent') group by type order by type`,
    )
    const count = Object.fromEntries(events.map((event) => [event.type, event.n]))
    expect(count).toMatchObject({
      'pool.policy-set': 1,
      'pool.scaled': history.length,
      'agent.starting': 5,
      'agent.draining': 5,
      'agent.stopping': 5,
      'agent.offline': 5,
    })
    await platform.check()
  })

  test('a policy goes on from the size that a person has set, before agents have followed it', async () => {
    await makePool(use())
    const { platform, scaling, look, registry, scaler, states } = replica(use())
    await scaling.scale(tenant, 'default', 6, 'me')
    await registry.look()
    // Whatever the load, it keeps what is there: nothing is to be learned from it within this test.
    const policy = { strategy: 'step', min: 1, max: 10, everyMs: 1_000, cooldownInMs: 3_600_000 } as const
    await scaling.setPolicy(tenant, 'default', policy, 'me')
    await scaling.scale(tenant, 'default', 2, 'me')
    platform.advance(1_000)
    await scaler.look()
    const [explained] = await scaling.explain(tenant, 'default')
    expect(explained).toMatchObject({ size: { desired: 2 }, last: { from: 2, to: 2, strategy: 'step' } })
    expect(explained!.last!.steps[0]).toBe('2 were set by hand just now; it goes on from there')
    platform.advance(1_000)
    await look()
    await look()
    expect(await states()).toEqual(['healthy', 'healthy'])
    platform.advance(60_000)
    await scaler.look()
    expect((await scaling.explain(tenant, 'default'))[0]).toMatchObject({ size: { desired: 2 }, last: { from: 2 } })
  })

  test('drains before it stops: work under way ends where it is', async () => {
    await makePool(use())
    const { platform, scaling, look, working, releaseAll, states, host } = replica(use())
    await scaling.scale(tenant, 'default', 3, 'me')
    await look()
    const run = await platform.start(waits(3))
    await working(3)
    await scaling.scale(tenant, 'default', 1, 'me')
    await look()
    expect(await states()).toEqual(['draining remove', 'draining remove', 'healthy'])
    await look()
    expect(host.running()).toHaveLength(3)
    releaseAll()
    await untilEnded(platform, run.id)
    await expect
      .poll(
        async () => {
          await look()
          return host.running().length
        },
        { timeout: 20_000 },
      )
      .toBe(1)
    expect(await states()).toEqual(['healthy'])
    const attempts = await use().owner('select 1 from tasks where attempt > 1')
    expect(attempts).toEqual([])
    await platform.check()
  })

  test('warm agents wait, and work at once when more are wanted; those on their way out are called back', async () => {
    await makePool(use())
    const { platform, scaling, look, registry, working, states } = replica(use())
    await scaling.setPolicy(tenant, 'default', { strategy: 'step', min: 0, max: 4, warm: 2, everyMs: 60_000 }, 'me')
    await look()
    expect(await states()).toEqual(['starting warm', 'starting warm'])
    await platform.start(waits(3))
    await scaling.scale(tenant, 'default', 2, 'me')
    await registry.look()
    expect(await states()).toEqual(['healthy', 'healthy', 'starting warm', 'starting warm'])
    await working(2)
    await scaling.scale(tenant, 'default', 1, 'me')
    await registry.look()
    expect(await states()).toContain('draining remove')
    await scaling.scale(tenant, 'default', 2, 'me')
    await registry.look()
    expect(await states()).toEqual(['healthy', 'healthy', 'starting warm', 'starting warm'])
  })

  test('a policy that predicts is there before the load that came a day ago', async () => {
    await makePool(use())
    const { platform, scaling, look } = replica(use())
    await scaling.setPolicy(tenant, 'default', { strategy: 'predictive', min: 0, max: 50, everyMs: 5_000 }, 'me')
    await look()
    expect((await scaling.explain(tenant, 'default'))[0]!.last!.steps[0]).toContain('nothing to do')
    const now = platform.database.clock.now().getTime()
    // A day before the time that is a minute ahead: ten tasks at work at every look.
    for (let n = -8; n <= 8; n++) {
      const at = new Date(now - 86_400_000 + 60_000 + n * 15_000)
      const signals = { agents: 14, slotsPerAgent: 1, used: 10, queueDepth: 0, waitMs: 0, spanMs: 15_000, arrivals: 3 }
      await use().owner(
        `insert into scaling_samples (tenant_id, pool, at, signals) values ('default', 'default', $1, $2)`,
        [at, JSON.stringify({ ...signals, throughput: 0.2, serviceMs: 50_000, recommended: 14 })],
      )
    }
    platform.advance(5_000)
    await look()
    const [explained] = await scaling.explain(tenant, 'default')
    expect(explained!.last).toMatchObject({ strategy: 'predictive', from: 0, to: 15 })
    expect(explained!.last!.reason).toContain('seasonal-naive, 24h 0m: 10.0')
  })

  test('a pool whose agents cannot be started rests, for longer each time, and is tried again', async () => {
    await makePool(use())
    const broken = { is: true }
    const { platform, scaling, registry, states } = replica(use(), broken)
    await scaling.scale(tenant, 'default', 2, 'me')
    const tries = async () => {
      await registry.look()
      await registry.look()
      return platform.errors.splice(0).length
    }
    expect(await tries()).toBe(1)
    platform.advance(2_500)
    expect(await tries()).toBe(1)
    platform.advance(2_500)
    expect(await tries()).toBe(0)
    platform.advance(2_500)
    broken.is = false
    expect(await tries()).toBe(0)
    expect((await states()).filter((state) => state === 'healthy')).toHaveLength(2)
  })

  test('policies and sizes of pools that are not there, or contradict themselves, are refused', async () => {
    await makePool(use())
    const { scaling } = replica(use())
    const code = (promise: Promise<unknown>) =>
      promise.then(
        () => 'taken',
        (error) => error.code,
      )
    expect(await code(scaling.scale(tenant, 'other', 1, 'me'))).toBe('pool-not-found')
    expect(await code(scaling.setPolicy(tenant, 'other', { strategy: 'step' }, 'me'))).toBe('pool-not-found')
    expect(await code(scaling.setPolicy(tenant, 'default', { strategy: 'step', min: 3, max: 1 }, 'me'))).toBe(
      'scaling-policy-invalid',
    )
    const scheduled = { entries: [{ cron: 'often', agents: 1 }] }
    expect(await code(scaling.setPolicy(tenant, 'default', { strategy: 'scheduled', scheduled }, 'me'))).toBe(
      'cron-invalid',
    )
    expect(await code(scaling.explain(tenant, 'default'))).toBe('pool-not-scaled')
    expect(await code(scaling.removePolicy(tenant, 'default', 'me'))).toBe('pool-not-scaled')
  })
})

eachDatabase('the registry of agents', (use) => {
  test('agents of runners that start none are taken away by whoever looks', async () => {
    const { platform, registry, scaling, states, host } = replica(use())
    const workers = [await platform.worker({ pool: 'far' }), await platform.worker({ pool: 'far' })]
    await scaling.scale(tenant, 'far', 1, 'me')
    await registry.look()
    await registry.look()
    expect(await states()).toEqual(['healthy'])
    await scaling.scale(tenant, 'far', 3, 'me')
    await registry.look()
    expect(await states()).toEqual(['healthy'])
    expect(host.running()).toEqual([])
    expect(workers).toHaveLength(2)
  })

  test('cordon, uncordon, drain and remove, also over the loss of the runner', async () => {
    const { platform, agents, registry } = replica(use())
    const worker = await platform.register(2)
    const id = worker.agentId
    await platform.start(waits(4))
    await worker.take()
    expect((await agents.show(tenant, id)).leases).toHaveLength(2)
    await agents.cordon(tenant, id, 'me')
    await worker.finish([...worker.held.values()], () => ({ output: {} }))
    expect(await worker.take()).toEqual([])
    platform.advance(7_000)
    await platform.parts.reaper.reap()
    expect((await agents.show(tenant, id)).agent.state).toBe('offline')
    await worker.exchange()
    expect((await agents.show(tenant, id)).agent).toMatchObject({ state: 'draining', intent: 'cordon' })
    await agents.uncordon(tenant, id, 'me')
    expect(await worker.take()).toHaveLength(2)
    await agents.remove(tenant, id, 'me')
    await registry.look()
    expect((await agents.show(tenant, id)).agent).toMatchObject({ state: 'draining', intent: 'remove', used: 2 })
    await worker.finish([...worker.held.values()], () => ({ output: {} }))
    await registry.look()
    await expect(agents.show(tenant, id)).rejects.toMatchObject({ code: 'agent-not-found' })
    await expect(agents.drain(tenant, id, 'me')).rejects.toMatchObject({ code: 'agent-not-found' })
  })

  test('an agent whose runner is silent gets nothing new, and is used again when it is heard', async () => {
    const { platform, agents, registry } = replica(use())
    const worker = await platform.register(5)
    const stateNow = async () => (await agents.show(tenant, worker.agentId)).agent.state
    platform.advance(5_000)
    await registry.look()
    expect(await stateNow()).toBe('degraded')
    await platform.start(waits(2))
    const other = await platform.worker()
    expect(await other.take()).toHaveLength(2)
    await worker.exchange()
    await registry.look()
    expect(await stateNow()).toBe('healthy')
    await platform.start(waits(2))
    expect((await worker.take()).length + (await other.take()).length).toBe(4)
  })

  test('an agent that fails three times by its own fault rests, for longer each time, and is tried again', async () => {
    const { platform, agents, registry } = replica(use())
    const worker = await platform.register(1)
    const stateNow = async () => (await agents.show(tenant, worker.agentId)).agent.state
    const port = platform.parts.runnerPort
    const failing = async (code: string) => {
      await platform.start('name: one\nsteps:\n  a: { command: [a] }\n')
      platform.parts.exchange.forget(worker.runnerId)
      const call = (reports: Parameters<typeof port.exchange>[0]['reports']) =>
        port.exchange(
          { runnerId: worker.runnerId, reports, progress: [], holding: [], accept: reports.length === 0 },
          new AbortController().signal,
        )
      const { assignments } = await call([])
      await call(assignments.map((lease) => worker.report(lease, { code })))
      await registry.look()
    }
    for (const code of ['workspace-failed', 'exit-code', 'workspace-failed', 'agent-crashed']) await failing(code)
    expect(await stateNow()).toBe('healthy')
    await failing('agent-crashed')
    expect(await stateNow()).toBe('unhealthy')
    platform.advance(31_000)
    await registry.look()
    expect(await stateNow()).toBe('healthy')
    await failing('agent-crashed')
    expect(await stateNow()).toBe('unhealthy')
    platform.advance(31_000)
    await registry.look()
    expect(await stateNow()).toBe('unhealthy')
    platform.advance(31_000)
    await registry.look()
    expect(await stateNow()).toBe('healthy')
  })
})

eachDatabase(
  'replicas',
  (use) => {
    test('bring a pool to one size between them', async () => {
      await makePool(use())
      const replicas = [replica(use()), replica(use()), replica(use())]
      await replicas[0]!.scaling.scale(tenant, 'default', 12, 'me')
      const serving = async () => (await replicas[0]!.states()).filter((state) => state === 'healthy').length
      const looks = async () => {
        await Promise.all(replicas.map((one) => one.look()))
        return serving()
      }
      await expect.poll(looks, { timeout: 30_000, interval: 10 }).toBe(12)
      const hosted = () => replicas.reduce((sum, one) => sum + one.host.running().length, 0)
      expect(hosted()).toBe(12)
      await replicas[1]!.scaling.scale(tenant, 'default', 4, 'me')
      await expect.poll(looks, { timeout: 30_000, interval: 10 }).toBe(4)
      await expect.poll(() => looks().then(hosted), { timeout: 30_000, interval: 10 }).toBe(4)
    })
  },
  { kinds: ['postgres'] },
)
