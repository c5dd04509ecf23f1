import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { type PostgresServer, startPostgresServer } from '../support/postgres-server.ts'
import { documentsOf } from '../support/run-cli.ts'
import { type Cli, CrashPlace, failuresIn } from './crash-place.ts'

vi.setConfig({ testTimeout: 240_000, hookTimeout: 180_000 })

/** The folders of the machines: each has a data folder of its own, all have one database. */
const places = {
  left: new CrashPlace('left'),
  right: new CrashPlace('right'),
  first: new CrashPlace('first'),
  second: new CrashPlace('second'),
}
type Machine = keyof typeof places
const tasks = 3
/** The server that is there to the end. */
let staying: Machine = 'right'
const started: Cli[] = []
let server: PostgresServer
let client: pg.Client

beforeAll(async () => {
  server = await startPostgresServer()
  client = new pg.Client(server.url())
  await client.connect()
  // Only agents that are far away may do the work of these runs: those of `work`.
  for (const machine of ['first', 'second'] as const) {
    writeFileSync(join(places[machine].folder, 'leanvibe.yaml'), 'pools: { local: { region: far } }\n')
  }
})
afterAll(async () => {
  for (const { child } of started) child.kill('SIGKILL')
  await Promise.all(started.map((cli) => cli.ended))
  await Promise.all(Object.values(places).map((place) => place.remove()))
  await client.end()
  await server.destroy()
})

const go = (name: string) => join(places.left.folder, `${name}.go`)

/** Tasks that last until the file of the run is there, then a step that any agent may do. */
function workflow(name: string, region: 'far' | 'near'): string {
  const items = Array.from({ length: tasks }, (_, item) => item).join(', ')
  writeFileSync(
    join(places.left.folder, `${name}.yaml`),
    `name: ${name}
steps:
  hold:
    map:
      over: [${items}]
      as: item
      step:
        script: |
          while [ ! -e "$GO" ]; do sleep 0.05; done
          echo "$LEANVIBE_ATTEMPT"
        env: { GO: ${go(name)}, PLACE: ${places.first.folder} }
        ${region === 'far' ? 'region: far' : ''}
        outputs: { attempt: stdout }
  join:
    needs: [hold]
    command: [echo, '\${{ size(steps.hold.outputs.attempt) }}']
    outputs: { count: json }
outputs:
  count: \${{ steps.join.outputs.count }}
`,
  )
  return `${name}.yaml`
}

const release = (name: string) => writeFileSync(go(name), '')

function start(machine: Machine, ...args: readonly string[]): Cli {
  const cli = places[machine].cli(args, { env: { DATABASE_URL: server.url() }, timeoutMs: 200_000 })
  started.push(cli)
  return cli
}

/** Waits for its first words; what ended before it could say any failed. */
async function untilUp(cli: Cli): Promise<void> {
  await cli.spoke
  if (cli.goneAt() !== null) throw new Error(failuresIn(await cli.ended))
}

async function call(machine: Machine, ...args: readonly string[]): Promise<string> {
  const end = await start(machine, ...args).ended
  expect(end.code, failuresIn(end)).toBe(0)
  return end.stdout
}

async function detach(machine: Machine, name: string, region: 'far' | 'near' = 'far'): Promise<string> {
  const file = join(places.left.folder, workflow(name, region))
  return String(documentsOf(await call(machine, 'orchestrate', '--detach', file))[0]!.run)
}
const documentOf = (cli: Cli, type: string) => documentsOf(cli.stdout()).find((document) => document.type === type)
const runnerOf = (cli: Cli) => String(documentOf(cli, 'joined')!.runner)

async function query<Row extends object>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
  return (await client.query<Row>(text, [...values])).rows
}

const heldBy = async (runner: string, run: string) =>
  (
    await query(`select from tasks where runner_id = $1 and run_id = $2 and state in ('leased', 'running')`, [
      runner,
      run,
    ])
  ).length
const heldIn = async (run: string) =>
  (await query(`select from tasks where run_id = $1 and step = 'hold' and state in ('leased', 'running')`, [run]))
    .length
const stateOf = async (run: string) =>
  (await query<{ state: string }>('select state from runs where id = $1', [run]))[0]!.state
/** How many tasks were lost with their runner, of each run that had such. */
const lossesOf = async (...runs: readonly string[]) =>
  (
    await query<{ tasks: number }>(
      `select count(*)::int as tasks from attempts a join tasks t on t.tenant_id = a.tenant_id and t.id = a.task_id
      where a.outcome = 'lost' and t.step = 'hold' and a.run_id = any ($1) group by a.run_id`,
      [runs],
    )
  ).map(({ tasks: count }) => count)
const until = (check: () => Promise<unknown>, wanted: unknown, timeout = 45_000) =>
  expect.poll(check, { timeout, interval: 20 }).toEqual(wanted)

test('servers and runners that are asked to end finish or hand over, and all work ends once', async () => {
  const servers = [start('left', 'serve'), start('right', 'serve')] as const
  const second = start('second', 'work', '--join', server.url(), '--slots', '4')
  await Promise.all([...servers, second].map(untilUp))
  expect(servers.map((cli) => documentOf(cli, 'listening') !== undefined)).toEqual([true, true])
  expect(documentOf(second, 'joined')).toMatchObject({ pools: [{ name: 'local', agents: 4, slots: 1 }] })

  // Asked to end, a runner finishes what it has and takes nothing more.
  const drained = await detach('left', 'drained')
  await until(() => heldBy(runnerOf(second), drained), tasks)
  second.child.kill('SIGTERM')
  await expect.poll(() => documentOf(second, 'left'), { timeout: 30_000, interval: 20 }).toMatchObject({ tasks })
  const late = await detach('right', 'late')
  release('drained')
  const end = await second.ended
  expect(end.code, failuresIn(end)).toBe(0)
  expect(documentOf(second, 'ended')).toMatchObject({ drained: true })
  await until(() => stateOf(drained), 'succeeded')
  expect(await stateOf(late)).toBe('running')
  expect(await lossesOf(drained, late)).toEqual([])

  // Asked twice, it ends at once; its work is done by the next, one task after the other.
  const hurried = start('second', 'work', '--slots', '4')
  await until(() => heldIn(late), tasks)
  hurried.child.kill('SIGTERM')
  await expect.poll(() => documentOf(hurried, 'left'), { timeout: 30_000, interval: 20 }).toMatchObject({ tasks })
  hurried.child.kill('SIGTERM')
  expect((await hurried.ended).code).toBe(143)
  const third = start('first', 'work', '--slots', '1')
  release('late')
  await until(() => stateOf(late), 'succeeded')
  third.child.kill('SIGTERM')
  expect((await third.ended).code).toBe(0)
  expect(await lossesOf(late)).toEqual([tasks])

  // A server that is asked to end takes nothing more either; what it cannot finish in time is with the other one at once.
  const handed = await detach('right', 'handed', 'near')
  await until(() => heldIn(handed), tasks)
  const [mine] = await query<{ id: string; pid: number; held: number }>(
    `select r.id, r.pid, count(*)::int as held from tasks t join runners r on r.id = t.runner_id
    where t.run_id = $1 and t.step = 'hold' and t.state in ('leased', 'running') group by r.id, r.pid limit 1`,
    [handed],
  )
  const leaving = servers.find(({ child }) => child.pid === mine!.pid)!
  staying = leaving === servers[0] ? 'right' : 'left'
  const stateOfMine = async () =>
    (await query<{ state: string }>('select distinct state from agents where runner_id = $1', [mine!.id])).map(
      ({ state }) => state,
    )
  const askedAt = performance.now()
  leaving.child.kill('SIGTERM')
  await until(stateOfMine, ['draining'])
  expect((await leaving.ended).code).toBe(0)
  await until(() => heldIn(handed), tasks)
  const handOverMs = Math.round(performance.now() - askedAt)
  expect(await heldBy(mine!.id, handed)).toBe(0)
  expect(await stateOfMine()).toEqual(['offline'])
  release('handed')
  await until(() => stateOf(handed), 'succeeded')
  expect(await lossesOf(handed)).toEqual([mine!.held])

  const [rest] = await query<{ once: number; used: number; registered: number }>(
    `select (select count(*)::int from tasks where step = 'hold' and state = 'succeeded') as once,
      (select sum(used)::int from agents) as used,
      (select count(*)::int from runners where state <> 'lost') as registered`,
  )
  // That of the other server is left.
  expect(rest).toEqual({ once: 3 * tasks, used: 0, registered: 1 })
  await places.first.untilQuiet()
  console.log('a server that hands over', JSON.stringify({ handOverMs }))
})

test('a pool that only a runner brings along gets prompts of servers, and grows there', async () => {
  const yaml = 'pools:\n  parrot: { command: [echo, "{prompt}"], capabilities: [talk] }\n'
  writeFileSync(join(places.second.folder, 'leanvibe.yaml'), yaml)
  const runner = start('second', 'work')
  await untilUp(runner)
  const healthy = async () => (await query(`select from agents where pool = 'parrot' and state = 'healthy'`)).length
  await until(healthy, 1)
  await call(staying, 'pools', 'scale', 'parrot', '3')
  await until(healthy, 3)

  const file = join(places.left.folder, 'talk.yaml')
  writeFileSync(file, 'name: talk\nsteps:\n  say: { agent: hello, capabilities: [talk] }\n')
  const run = String(documentsOf(await call(staying, 'orchestrate', '--detach', file))[0]!.run)
  await until(() => stateOf(run), 'succeeded')
  runner.child.kill('SIGTERM')
  expect((await runner.ended).code).toBe(0)
  expect(await healthy()).toBe(0)
})
