import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { type PostgresServer, startPostgresServer } from '../support/postgres-server.ts'
import { documentsOf } from '../support/run-cli.ts'
import { type Cli, CrashPlace, failuresIn } from './crash-place.ts'

vi.setConfig({ testTimeout: 240_000, hookTimeout: 60_000 })

/** The folders of the machines: each has a data folder of its own, all have one database. */
const places = {
  left: new CrashPlace('left'),
  right: new CrashPlace('right'),
  first: new CrashPlace('first'),
  second: new CrashPlace('second'),
}
type Machine = keyof typeof places
const tasks = 3
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
function workflow(name: string): string {
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
        region: far
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

async function detach(machine: Machine, name: string): Promise<string> {
  const file = join(places.left.folder, workflow(name))
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
const until = (check: () => Promise<unknown>, wanted: unknown, timeout = 45_000) =>
  expect.poll(check, { timeout, interval: 20 }).toEqual(wanted)

test('two servers and two runners on one database: one of each is killed, one is asked to end, and all work ends once', async () => {
  const servers = [start('left', 'serve'), start('right', 'serve')]
  const victim = start('first', 'work', '--slots', '4')
  await Promise.all([...servers, victim].map(untilUp))
  expect(servers.map((cli) => documentOf(cli, 'listening') !== undefined)).toEqual([true, true])
  expect(documentOf(victim, 'joined')).toMatchObject({ pools: [{ name: 'local', agents: 4, slots: 1 }] })

  const lost = await detach('left', 'lost')
  await until(() => heldBy(runnerOf(victim), lost), tasks)
  const survivor = start('second', 'work', '--join', server.url(), '--slots', '4')
  await untilUp(survivor)
  // Both servers know both runners and the run that one of them took.
  expect(await call('right', 'runs', 'show', lost)).toContain(lost)

  victim.child.kill('SIGKILL')
  await victim.ended
  const killedAt = performance.now()
  await until(() => heldBy(runnerOf(survivor), lost), tasks, 30_000)
  const releaseMs = Math.round(performance.now() - killedAt)

  // A run that was taken by a server that is no more.
  const orphan = await detach('left', 'orphan')
  servers[0]!.child.kill('SIGKILL')
  await servers[0]!.ended
  release('lost')
  release('orphan')
  await until(() => stateOf(lost), 'succeeded')
  await until(() => stateOf(orphan), 'succeeded')

  // Asked to end, a runner finishes what it has and takes nothing more.
  const drained = await detach('right', 'drained')
  await until(() => heldBy(runnerOf(survivor), drained), tasks)
  survivor.child.kill('SIGTERM')
  await expect.poll(() => documentOf(survivor, 'left'), { timeout: 30_000, interval: 20 }).toMatchObject({ tasks })
  const late = await detach('right', 'late')
  release('drained')
  const end = await survivor.ended
  expect(end.code, failuresIn(end)).toBe(0)
  expect(documentOf(survivor, 'ended')).toMatchObject({ drained: true })
  await until(() => stateOf(drained), 'succeeded')
  expect(await stateOf(late)).toBe('running')
  expect(await query(`select from attempts where run_id = any ($1) and outcome = 'lost'`, [[drained, late]])).toEqual(
    [],
  )

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
  const [left] = await query<{ once: number; used: number; registered: number }>(
    `select (select count(*)::int from tasks where step = 'hold' and state = 'succeeded') as once,
      (select sum(used)::int from agents) as used,
      (select count(*)::int from runners where id = any ($1) and state <> 'lost') as registered`,
    [[victim, survivor, third].map(runnerOf)],
  )
  expect(left).toEqual({ once: 4 * tasks, used: 0, registered: 0 })
  // What a dead runner held was lost once, and of the others nothing; a last step may have gone to the dead server.
  const losses = await query<{ run: string; tasks: number }>(
    `select a.run_id as run, count(*)::int as tasks from attempts a
    join tasks t on t.tenant_id = a.tenant_id and t.id = a.task_id
    where a.outcome = 'lost' and t.step = 'hold' group by 1`,
  )
  expect(new Map(losses.map(({ run, tasks: count }) => [run, count]))).toEqual(
    new Map([lost, late].map((run) => [run, tasks])),
  )
  await places.first.untilQuiet()
  console.log('a killed runner', JSON.stringify({ releaseMs }))
  expect(releaseMs).toBeLessThan(10_000)
})

test('a pool that only a runner brings along gets prompts of servers, and grows there', async () => {
  const yaml = 'pools:\n  parrot: { command: [echo, "{prompt}"], capabilities: [talk] }\n'
  writeFileSync(join(places.second.folder, 'leanvibe.yaml'), yaml)
  const runner = start('second', 'work')
  await untilUp(runner)
  const healthy = async () => (await query(`select from agents where pool = 'parrot' and state = 'healthy'`)).length
  await until(healthy, 1)
  await call('right', 'pools', 'scale', 'parrot', '3')
  await until(healthy, 3)

  const file = join(places.left.folder, 'talk.yaml')
  writeFileSync(file, 'name: talk\nsteps:\n  say: { agent: hello, capabilities: [talk] }\n')
  const run = String(documentsOf(await call('right', 'orchestrate', '--detach', file))[0]!.run)
  await until(() => stateOf(run), 'succeeded')
  runner.child.kill('SIGTERM')
  expect((await runner.ended).code).toBe(0)
  expect(await healthy()).toBe(0)
})
