import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test, vi } from 'vitest'
import { listSources } from '../meta/source-tree.ts'
import { checkEnd } from './check-end.ts'
import { CrashPlace, failuresIn, runIn } from './crash-place.ts'
import { fleetWorkflow } from './fleet.ts'

vi.setConfig({ testTimeout: 600_000, hookTimeout: 180_000 })

/** Of each run: more than are done between its crashes, and so many that none is at work in five of them. */
const tasks = 40
/** Commits of the platform while runs go on: before and after each. */
const commits = [
  ...['agents', 'budget-upkeep', 'consumer-event-waits', 'dispatch', 'event-partitions', 'exchange', 'idempotency'],
  ...['preemption', 'reaper', 'runner', 'scaling', 'schedules', 'tenant', 'ticks', 'timers', 'webhook-deliverer'],
  ...['webhook-retention'],
]
/** Commits that no run of this workflow makes: they come with time, with a server, or with calls of other parts. */
const elsewhere = [
  ...[
    'agent-limits',
    'attempt-ends',
    'blob-remains',
    'budgets',
    'budgets-set',
    'first-key',
    'key-use',
    'liveness',
    'peer-pushes',
  ],
  ...['model-calls', 'model-upkeep', 'move-in', 'move-out', 'moves', 'nats-relay'],
  ...[
    'proofs',
    'quotas',
    'rate-limits',
    'recovery',
    'registry-checks',
    'remote-runners',
    'stream-cursors',
    'stream-groups',
    'tenant-purge',
    'tenants',
    'webhook-receipts',
    'webhook-router',
  ],
  ...['webhook-sources', 'worker-drain'],
]
/** Commits that are passed again and again; the others are killed at the first, which may be the only one. */
const late = ['exchange', 'tenant', 'ticks']
const points = [
  ...commits.map((name) => `commit.X.${name}`),
  'attempt.X',
  'exchange.X',
  'git.spawn.X',
  'spawn.X',
  'workspace.create.X',
  'workspace.remove.X',
].flatMap((name) => [name.replace('X', 'before'), name.replace('X', 'after')])
/** Places on ways that no run of a workflow takes; the tests of their parts kill at them. */
const ofOthers = [
  'idempotency.done',
  ...['batch', 'gate', 'land', 'rebase'].flatMap((step) => [`merge.${step}.after`, `merge.${step}.before`]),
  'merge.told.after',
  'move.batch',
  'proof.keep.before',
  'push.claimed',
  'push.sent',
  'relay.published',
  'relay.sent',
  'webhook.claimed',
  'webhook.sent',
]
const ofSupervisor = ['supervisor.spawn.before', 'supervisor.spawn.after']

const places = [new CrashPlace('points-a'), new CrashPlace('points-b')]
for (const place of places) writeFileSync(join(place.folder, 'fleet.yaml'), fleetWorkflow(place.folder, tasks))
afterAll(() => Promise.all(places.map((place) => place.remove())))

test('every failpoint of the sources is known here, and none that is no longer there', () => {
  const sources = listSources('src')
  const named = sources.flatMap(({ text }) => [...text.matchAll(/failpoint\('([^']+)'\)/g)].map((match) => match[1]!))
  const fixed = [...points, ...ofSupervisor, ...ofOthers].filter((name) => !name.startsWith('commit.'))
  expect(fixed.sort()).toEqual([...new Set(named)].sort())
  const scopes = sources.flatMap(({ text }) => [
    ...text.matchAll(/\.asSystem\(\s*['`]([^'`]+)['`]\s*\)(\s*\.read\()?/g),
  ])
  const written = scopes.filter(([, , read]) => read === undefined).map(([, reason]) => reason!)
  const purposes = written.map((reason) => reason.replace('${name}', 'event-waits').replace(/[^a-z]+/g, '-'))
  expect([...commits, ...elsewhere].sort()).toEqual([...new Set([...purposes, 'tenant'])].sort())
})

/** Kills one platform after the other, each at one of the points, then lets the run end. Returns what it saw. */
async function crashAtEach(place: CrashPlace, first: string, others: readonly string[]) {
  let slowest = 0
  const crash = async (args: readonly string[], name: string) => {
    const early = name.startsWith('commit.') && !late.some((each) => name.endsWith(`.${each}`))
    const count = early ? 1 : name.endsWith('.tenant') ? 2 : 3
    const cli = place.cli(args, { env: { LEANVIBE_FAILPOINTS: `${name}=kill@${count}` } })
    const { signal, code, stdout, stderr } = await cli.ended
    expect(signal, `${name} was not passed: ${code} ${stderr} ${stdout.slice(-500)}`).toBe('SIGKILL')
    slowest = Math.max(slowest, await place.untilQuiet(cli.goneAt()!))
    return stdout
  }
  const run = runIn(await crash(['orchestrate', 'fleet.yaml', '--repo', place.repo, '--agents', '4'], first))
  const resume = ['orchestrate', '--resume', run, '--agents', '4']
  for (const name of others) await crash(resume, name)
  const from = performance.now()
  const end = await place.cli(resume).ended
  expect(end.code, failuresIn(end)).toBe(0)
  const { lost } = await checkEnd(place, tasks)
  return { slowest, lost, lastStartMs: Math.round(performance.now() - from) }
}

test('a kill -9 at any failpoint loses nothing, doubles nothing and leaves nothing behind', async () => {
  // Two places at a time, each with every other point: most of a crash is the start of the next process. The first one
  // of each must let the run be told before.
  const firsts = ['attempt.after', 'workspace.remove.after']
  const rest = points.filter((point) => !firsts.includes(point))
  const lanes = await Promise.all(
    places.map((place, lane) =>
      crashAtEach(
        place,
        firsts[lane]!,
        rest.filter((_, index) => index % places.length === lane),
      ),
    ),
  )
  const slowest = Math.max(...lanes.map((lane) => lane.slowest))
  // Alone it is two seconds that are promised; beside other tests processes get their turn late.
  expect(slowest).toBeLessThan(process.env.LEANVIBE_LONG === '1' ? 2_000 : 10_000)
  console.log(
    'kills at failpoints',
    JSON.stringify({ failpoints: points.length, slowestCleanMs: Math.round(slowest), lanes }),
  )
})

test.each(ofSupervisor)('a supervisor that dies at %s costs attempts, not the run', async (name) => {
  const own = new CrashPlace('supervisor')
  try {
    writeFileSync(
      join(own.folder, 'few.yaml'),
      `name: few
steps:
  work:
    map:
      over: [1, 2, 3, 4, 5, 6, 7, 8]
      step: { command: [echo, '\${{ item }}'], retry: { attempts: 3, backoff: { initial: 50ms } } }
`,
    )
    const env = { LEANVIBE_FAILPOINTS: `${name}=kill@3` }
    const end = await own.cli(['orchestrate', 'few.yaml', '--agents', '2'], { env }).ended
    expect(end.code, failuresIn(end)).toBe(0)
    // It did die: what it had under way was told as lost with it, and tried again.
    expect(end.stdout).toContain('supervisor-lost')
    expect(own.supervisors()).toEqual([])
  } finally {
    await own.remove()
  }
})
