import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type AgentId, asId, type RunnerId, systemIds, type TenantId } from '../../src/foundation/kernel/ids.ts'
import { seededRandom } from '../../src/foundation/kernel/random.ts'
import { bulkOf } from '../../src/orchestration/coordinator/lane-contract.ts'
import type { Assignment } from '../../src/orchestration/runners/exchange-contract.ts'
import { openTestDatabase, type TestDatabase } from '../support/databases.ts'
import { TestPlatform, tenant } from '../support/platform.ts'
import { TestWorker } from '../support/worker.ts'

// Each server remembers by itself who had how much. These are the shares that come of it, with PostgreSQL between them.
let use: TestDatabase
beforeAll(async () => {
  use = await openTestDatabase('postgres')
})
beforeEach(() => use.reset())
afterAll(() => use.close())

const [heavy, light] = [asId<TenantId>('heavy'), asId<TenantId>('light')]
const wide = (priority: number) => `name: wide
inputs: { items: { type: json } }
steps: { each: { map: { over: "\${{ inputs.items }}", step: { command: [a], priority: ${priority} } } } }
`
const inputs = { items: Array.from({ length: 300 }, (_, n) => n) }

function startServers(): readonly TestPlatform[] {
  const tick = { weightOf: (name: string) => (name === heavy ? 3 : 1) }
  return [1, 2, 3].map(() => new TestPlatform(use, { tick }))
}

/** A machine with an agent for each of some tenants, which work on what any server gives them. */
class Machine {
  readonly id = systemIds.next<RunnerId>('rnr')
  #held: readonly Assignment[] = []

  async register({ parts, database }: TestPlatform, tenants: readonly TenantId[], labels: object, slots: number) {
    const agents = tenants.map((of) => ({
      ...{ tenant: of, agentId: `${this.id}/${of}` as AgentId, pool: 'default', kind: 'command' },
      ...{ capabilities: [], labels: { ...labels }, slots, weight: 1 },
    }))
    const registration = { runnerId: this.id, host: 'here', pid: process.pid, agents }
    await database.asSystem('test').write((tx) => parts.runners.register(tx, registration, database.clock.now()))
  }

  /** Reports some of what it has to a server, and returns what it was given. */
  async call(platform: TestPlatform, isDone: () => boolean): Promise<readonly Assignment[]> {
    const done = this.#held.filter(isDone)
    const holding = this.#held.filter((one) => !done.includes(one))
    const worker = new TestWorker(platform, this.id, {})
    const reports = done.map((one) => worker.report(one, { output: null }))
    platform.parts.exchange.forget(this.id)
    const { assignments } = await platform.parts.exchange.exchange(
      { runnerId: this.id, reports, progress: [], holding, accept: true },
      new AbortController().signal,
    )
    this.#held = [...holding, ...assignments]
    return assignments
  }
}

/** Three machines work until so many tasks were begun, each talking to any of the servers; the tasks by what they belong to. */
async function share(
  servers: readonly TestPlatform[],
  machines: readonly Machine[],
  total: number,
  ownerOf: (one: Assignment) => string,
): Promise<(owner: string) => number> {
  const random = seededRandom(7)
  const begun: string[] = []
  const work = async (machine: Machine) => {
    while (begun.length < total) {
      const server = servers[Math.floor(random.next() * servers.length)]!
      begun.push(...(await machine.call(server, () => random.next() < 0.3)).map(ownerOf))
    }
  }
  await Promise.all(machines.map(work))
  for (const server of servers) await server.check()
  return (owner) => begun.filter((one) => one === owner).length
}

test('tenants of weight 3 and 1 have their parts of machines that both use, whichever servers hand out', async () => {
  const servers = startServers()
  const machines = [new Machine(), new Machine(), new Machine()]
  const labels = { 'runner-resources': { cpu: 4 } }
  for (const machine of machines) await machine.register(servers[0]!, [heavy, light], labels, 50)
  await servers[0]!.start(wide(5), { tenant: heavy, inputs })
  await servers[1]!.start(wide(5), { tenant: light, inputs })
  const of = await share(servers, machines, 240, (one) => one.tenant)
  expect(of(heavy) / of(light)).toBeGreaterThan(2.7)
  expect(of(heavy) / of(light)).toBeLessThan(3.3)
})

test('runs of which one counts twice have their parts of a pool, and the one that counts less is served all the time', async () => {
  const servers = startServers()
  const machines = [new Machine(), new Machine(), new Machine()]
  for (const machine of machines) await machine.register(servers[0]!, [tenant], {}, 4)
  const low = await servers[1]!.start(wide(5), { inputs })
  let high = await servers[0]!.start(wide(7), { inputs })
  // Two runs that are folded into one queue would be served as one.
  while (bulkOf(high.id, 300) === bulkOf(low.id, 300)) {
    await servers[0]!.parts.runs.cancel(tenant, high.id, 'of the same queue')
    high = await servers[0]!.start(wide(7), { inputs })
  }
  const of = await share(servers, machines, 240, (one) => one.runId)
  // Every sixteenth task is the oldest of all, whosever it is.
  expect(of(high.id) / of(low.id)).toBeGreaterThan(1.6)
  expect(of(high.id) / of(low.id)).toBeLessThan(2.3)
})
