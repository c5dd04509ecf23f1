import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  explainScaling,
  listAgents,
  removePoolPolicy,
  scalePool,
  setPoolPolicy,
  showRun,
  startRun,
} from '../src/contract.ts'
import { startApi, type TestApi } from './support/api.ts'
import { openTestDatabase, type TestDatabase } from './support/databases.ts'
import { type JoinedRunner, joinRunner } from './support/joined.ts'
import { scratchFolder } from './support/run-cli.ts'

// Servers say how many agents a pool has; runners that joined by URL start and stop them.

const scratch = scratchFolder('join-scaling')
const gate = join(scratch.path, 'gate')
const command = ['sh', '-c', `cat > /dev/null; while [ ! -e ${gate} ]; do sleep 0.05; done; echo done`]

let use: TestDatabase
let api: TestApi
const runners: JoinedRunner[] = []

beforeAll(async () => {
  use = await openTestDatabase('pglite')
  const limits = { ip: 'none', failures: 'none', key: 'none', tenant: 'none', route: 'none', runners: 'none' }
  api = await startApi(use.db, { yaml: JSON.stringify({ rateLimits: limits, agents: 1 }), work: true })
  for (const name of ['a', 'b']) {
    const pools = { far: { command, prompt: 'stdin', agents: 1 } }
    runners.push(await joinRunner(api, join(scratch.path, name), { agents: 1, pools }, { slots: 2 }))
  }
})

afterAll(async () => {
  for (const runner of runners) await runner[Symbol.asyncDispose]()
  await api?.close()
  await use?.close()
  await scratch.remove()
  expect(runners.flatMap(({ errors }) => errors)).toEqual([])
  expect(api.errors).toEqual([])
})

const agents = async () => (await api.owner.call(listAgents, { query: { pool: 'far' } })).items
const states = async () => (await agents()).map(({ state }) => state).sort()
const scale = (count: number) => api.owner.call(scalePool, { params: { name: 'far' }, body: { agents: count } })
const explain = async () => (await api.owner.call(explainScaling, { query: { pool: 'far' } })).items[0]!
const patience = { timeout: 30_000 }
const healthy = (count: number) => expect.poll(states, patience).toEqual(Array(count).fill('healthy'))

async function begin(count: number) {
  const over = Array.from({ length: count }, (_, n) => n)
  const step = { agent: { prompt: 'wait' }, pool: 'far' }
  const text = JSON.stringify({ name: 'waits', steps: { each: { map: { over, step } } } })
  const { id } = await api.owner.call(startRun, { body: { source: { text, fileName: 'waits.yaml' } } })
  return async () => (await api.owner.call(showRun, { params: { id } })).run.state
}

test('more agents start on the runners, as far as there is room; fewer finish what they have before they go', async () => {
  await healthy(4)
  await scale(7)
  await healthy(7)
  const mine = (id: string) => runners.findIndex(({ worker }) => id.startsWith(`${worker.id}.`))
  const shares = (await agents()).map(({ id }) => mine(id)).sort()
  // The emptier one is next, each time.
  expect([shares.filter((n) => n === 0).length, shares.filter((n) => n === 1).length].sort()).toEqual([3, 4])

  // Each brought two of `far` and two of `local`, and starts two more.
  await scale(12)
  await healthy(8)
  const { size, policy } = await explain()
  expect(policy).toBe(null)
  expect(size).toMatchObject({ desired: 12, agents: 8, missing: 4 })
  expect(size.notes).toEqual([expect.stringMatching(/^4 of 12 missing: the 2 runners that could start them are full/)])

  const state = await begin(8)
  await expect.poll(async () => (await agents()).filter(({ used }) => used === 1).length, patience).toBe(8)
  await scale(1)
  await expect.poll(states, patience).toEqual([...Array(7).fill('draining'), 'healthy'])
  expect((await explain()).size.notes).toEqual([expect.stringMatching(/^7 on the way out/)])
  expect(await state()).toBe('running')
  writeFileSync(gate, '')
  await expect.poll(state, patience).toBe('succeeded')
  await healthy(1)
  await expect.poll(() => explain().then(({ size }) => size.notes), patience).toEqual([])
  rmSync(gate)
})

test('a policy goes down to none, keeps one warm, and the next task wakes it', async () => {
  const policy = { strategy: 'target_tracking' as const, min: 0, max: 3, warm: 1, everyMs: 1_000, idleMs: 1_000 }
  const targetTracking = { windowMs: 1_000 }
  await api.owner.call(setPoolPolicy, {
    params: { name: 'far' },
    body: { ...policy, stabiliseInMs: 0, cooldownInMs: 0, targetTracking },
  })
  await expect.poll(states, patience).toEqual(['starting'])
  const state = await begin(3)
  await expect.poll(async () => (await agents()).filter(({ used }) => used === 1).length, patience).toBe(3)
  writeFileSync(gate, '')
  await expect.poll(state, patience).toBe('succeeded')
  await expect.poll(states, patience).toEqual(['starting'])
  expect((await explain()).last).toMatchObject({ strategy: 'target_tracking' })
})

test('a runner that ends offers no room any more, and what it ran starts elsewhere', async () => {
  await api.owner.call(removePoolPolicy, { params: { name: 'far' } })
  await scale(3)
  await expect.poll(async () => (await states()).filter((each) => each === 'healthy').length, patience).toBe(3)
  const [first] = runners
  await first!.worker.drain(AbortSignal.timeout(20_000), () => {})
  await expect
    .poll(async () => {
      const there = (await agents()).filter(({ state }) => state === 'healthy').map(({ id }) => id)
      return there.length === 3 && there.every((id) => !id.startsWith(`${first!.worker.id}.`))
    }, patience)
    .toBe(true)
  expect((await explain()).size.hosts.map(({ runner }) => runner)).toEqual([runners[1]!.worker.id])
})
