import { execFileSync } from 'node:child_process'
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { afterAll, describe, expect, test, vi } from 'vitest'
import { readServerInfo } from '../src/foundation/platform/data-folder/server-info.ts'
import { monitorSchema } from '../src/orchestration/monitor/monitor-contract.ts'
import { startPostgresServer } from './support/postgres-server.ts'
import { bin, type CliOptions, documentsOf, runCli, scratchFolder, startCli } from './support/run-cli.ts'

// Each starts several processes, of which most start a database.
vi.setConfig({ testTimeout: 240_000 })
const scratch = scratchFolder('journey')
afterAll(() => scratch.remove())

const hello = `name: hello
inputs:
  who: { type: string, default: world }
steps:
  greet:
    command: [echo, 'hello \${{ inputs.who }}']
    outputs: { words: stdout }
  each:
    map:
      over: [1, 2, 3]
      step: { command: [echo, '\${{ item }}'] }
outputs:
  summary: \${{ steps.greet.outputs.words }}
`
/** Says its pid, then works until it is stopped. */
const slow = `name: slow
steps:
  work:
    script: |
      echo $$ > "$PIDFILE"
      sleep 300 & wait
    env: { PIDFILE: '\${{ inputs.pidfile }}' }
finally:
  last: { command: [touch, '\${{ inputs.pidfile }}.last'] }
inputs:
  pidfile: { type: string }
`

interface Place extends CliOptions {
  readonly data: string
}

async function project(name: string, files: Readonly<Record<string, string>> = {}): Promise<Place> {
  const cwd = join(scratch.path, name)
  await mkdir(cwd, { recursive: true })
  await writeFile(join(cwd, 'leanvibe.yaml'), 'agents: 2\n')
  for (const [file, text] of Object.entries({ 'hello.yaml': hello, 'slow.yaml': slow, ...files }))
    await writeFile(join(cwd, file), text)
  return { cwd, data: join(cwd, '.leanvibe') }
}

async function untilFile(path: string): Promise<string> {
  await expect.poll(() => readFile(path, 'utf8').catch(() => ''), { timeout: 30_000, interval: 50 }).not.toBe('')
  return (await readFile(path, 'utf8')).trim()
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

async function stopServer({ data }: Place): Promise<void> {
  const info = await readServerInfo(data)
  if (info === undefined) return
  process.kill(info.pid, 'SIGTERM')
  await expect.poll(() => isAlive(info.pid), { timeout: 20_000 }).toBe(false)
}

describe('orchestrate', () => {
  test('runs a file to its end and tells the result', async () => {
    const place = await project('hello')
    const result = await runCli(['orchestrate', './hello.yaml', '--input', 'who=everybody'], place)
    expect(result.stderr).toBe('')
    expect(result.stdout).toMatch(/✔ greet/)
    expect(result.stdout).toMatch(/✔ hello succeeded in .*: 2 steps, 4 tasks \(run_\w+\)\n {2}hello everybody\n/)
    expect(result.code).toBe(0)
    expect(await readFile(join(place.data, '.gitignore'), 'utf8')).toBe('*\n')
    expect((await stat(place.data)).mode & 0o077).toBe(0)
    expect(await readServerInfo(place.data)).toBeUndefined()
  })

  test('tells programs every event once and in order, and the result last', async () => {
    const place = await project('json')
    const { code, stdout, stderr } = await runCli(['orchestrate', './hello.yaml', '--json'], place)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const documents = documentsOf(stdout)
    const events = documents.slice(0, -1)
    const seqs = events.map(({ seq }) => seq as number)
    expect(new Set(seqs).size).toBe(seqs.length)
    const bySubject = Map.groupBy(events, ({ subject }) => (subject as { id: string }).id)
    for (const each of bySubject.values()) {
      const revs = each.map(({ subject }) => (subject as { rev: number }).rev)
      expect(revs).toEqual(revs.toSorted((a, b) => a - b))
    }
    expect(events.filter(({ type }) => type === 'task.succeeded')).toHaveLength(4)
    expect(events.at(-1)).toMatchObject({ type: 'run.succeeded' })
    expect(documents.at(-1)).toMatchObject({
      type: 'result',
      run: { state: 'succeeded', outputs: { summary: 'hello world' } },
    })
  })

  test('a failed run exits with 1, names what failed, and can be repeated where it failed', async () => {
    const flow = `name: shaky\nsteps:\n  good: { command: [touch, '${scratch.path}/good-ran'] }\n  bad: { needs: [good], command: [test, -e, '${scratch.path}/mended'] }\n`
    const place = await project('failed', { 'flow.yaml': flow })
    const first = await runCli(['orchestrate', 'flow.yaml'], place)
    expect(first.code).toBe(1)
    expect(first.stdout).toMatch(/✖ shaky failed/)
    expect(first.stdout).toMatch(/✖ bad: .*exit/)
    const run = /leanvibe runs retry (run_\w+)/.exec(first.stderr)?.[1]
    execFileSync('rm', [join(scratch.path, 'good-ran')])
    await writeFile(join(scratch.path, 'mended'), '')
    const second = await runCli(['runs', 'retry', run!], place)
    expect(second.stderr).toBe('')
    expect(second.code).toBe(0)
    await expect(stat(join(scratch.path, 'good-ran'))).rejects.toThrow('ENOENT')
    const shown = await runCli(['runs', 'show', /\((run_\w+)\)/.exec(second.stdout)![1]!], place)
    expect(shown.stdout).toContain(`retry of ${run}`)
  })

  test('what agents print cannot steer the terminal', async () => {
    const flow = `name: loud\nsteps:\n  shout:\n    script: |\n      printf '\\033[2Jgone\\n' >&2\n      printf '\\033]0;title\\007x\\n'\n      exit 3\n`
    const place = await project('loud', { 'flow.yaml': flow })
    const { stdout, stderr } = await runCli(['orchestrate', 'flow.yaml'], place)
    const run = /leanvibe runs logs (run_\w+)/.exec(stderr)![1]!
    const logs = await runCli(['runs', 'logs', run], place)
    expect(logs.stdout).toContain('\\x1b[2Jgone')
    expect(logs.stdout).toContain('\\x1b]0;title\\x07x')
    for (const text of [stdout, stderr, logs.stdout]) expect(text).not.toMatch(/[\u001b\u0007]/)
  })

  test('draws a tree on a terminal', async () => {
    const place = await project('tty')
    const command = `"${process.execPath}" "${bin}" orchestrate ./hello.yaml`
    const env = { PATH: process.env.PATH ?? '', HOME: place.cwd, TERM: 'xterm-256color' }
    const output = execFileSync('script', ['-qec', command, '/dev/null'], {
      cwd: place.cwd,
      env,
      encoding: 'utf8',
      timeout: 60_000,
    })
    const text = stripVTControlCharacters(output)
    expect(text).toMatch(/hello run_\w+ running, \d\/2 steps/)
    expect(text).toMatch(/✔ each +[\d.]+m?s +3\/3/)
    expect(text).toMatch(/✔ hello succeeded/)
    expect(output).toContain('\u001b[32m')
  })
})

describe('an interrupt', () => {
  test('cancels the run, ends its processes, does its finally steps, and exits with 130', async () => {
    const place = await project('interrupt')
    const pidfile = join(place.cwd, 'pid')
    const cli = startCli(['orchestrate', './slow.yaml', '--input', `pidfile=${pidfile}`], place)
    const pid = Number(await untilFile(pidfile))
    cli.child.kill('SIGINT')
    const { code, stdout } = await cli.ended
    expect(code).toBe(130)
    expect(stdout).toMatch(/slow cancelled/)
    expect(isAlive(pid)).toBe(false)
    await stat(`${pidfile}.last`)
    expect((await runCli(['runs', '--json'], place)).stdout).toContain('"state":"cancelled"')
  })

  test('by SIGTERM, as at a reboot, leaves the run to be resumed', async () => {
    const place = await project('terminated')
    const pidfile = join(place.cwd, 'pid')
    const cli = startCli(['orchestrate', './slow.yaml', '--input', `pidfile=${pidfile}`], place)
    const pid = Number(await untilFile(pidfile))
    cli.child.kill('SIGTERM')
    const { code, stderr } = await cli.ended
    expect(code).toBe(143)
    expect(stderr).toMatch(/leanvibe orchestrate --resume run_/)
    expect(isAlive(pid)).toBe(false)
    expect((await runCli(['runs', '--json'], place)).stdout).toContain('"state":"running"')
  })

  test('twice leaves at once, and leaves no process behind', async () => {
    const place = await project('interrupt-twice')
    const pidfile = join(place.cwd, 'pid')
    const cli = startCli(['orchestrate', './slow.yaml', '--input', `pidfile=${pidfile}`], place)
    const pid = Number(await untilFile(pidfile))
    cli.child.kill('SIGINT')
    cli.child.kill('SIGTERM')
    expect((await cli.ended).code).toBeGreaterThanOrEqual(130)
    await expect.poll(() => isAlive(pid), { timeout: 5_000 }).toBe(false)
  })
})

describe('one data folder', () => {
  test('has one platform: further calls become its clients', async () => {
    const place = await project('shared')
    const pidfile = join(place.cwd, 'pid')
    const first = startCli(['orchestrate', './slow.yaml', '--input', `pidfile=${pidfile}`], place)
    await untilFile(pidfile)
    const info = await readServerInfo(place.data)
    expect(info?.pid).toBe(first.child.pid)
    expect((await stat(info!.tokenFile)).mode & 0o077).toBe(0)
    const hello = await runCli(['orchestrate', './hello.yaml'], place)
    expect(hello).toMatchObject({ code: 0, stderr: '' })
    const list = documentsOf((await runCli(['runs', '--json'], place)).stdout)
    expect(list.map(({ workflow, state }) => [workflow, state])).toEqual([
      ['hello', 'succeeded'],
      ['slow', 'running'],
    ])
    const run = list[1]!.id as string
    expect((await runCli(['runs', 'cancel', run, '--reason', 'enough'], place)).code).toBe(0)
    expect((await first.ended).stdout).toMatch(/slow cancelled/)
    expect(await readServerInfo(place.data)).toBeUndefined()
  })

  test('a run left by a kill -9 goes on with --resume and ends once', async () => {
    const flow = `name: counted\ninputs: { folder: { type: string } }\nsteps:\n  one: { command: [touch, '\${{ inputs.folder }}/one'] }\n  two:\n    needs: [one]\n    env: { FOLDER: '\${{ inputs.folder }}' }\n    script: |\n      echo run >> "$FOLDER/two"\n      test -e "$FOLDER/go" || sleep 300\n  three: { needs: [two], command: [touch, '\${{ inputs.folder }}/three'] }\n`
    const place = await project('killed', { 'flow.yaml': flow })
    const cli = startCli(['orchestrate', 'flow.yaml', '--input', `folder=${place.cwd}`], place)
    await untilFile(join(place.cwd, 'two'))
    cli.child.kill('SIGKILL')
    await cli.ended
    await writeFile(join(place.cwd, 'go'), '')
    const [run] = documentsOf((await runCli(['runs', '--json'], place)).stdout)
    expect(run).toMatchObject({ workflow: 'counted', state: 'running' })
    const resumed = await runCli(['orchestrate', '--resume', run!.id as string], place)
    expect(resumed.stdout).toMatch(/counted succeeded/)
    expect(resumed.code).toBe(0)
    expect((await readFile(join(place.cwd, 'two'), 'utf8')).trim().split('\n')).toHaveLength(2)
  })

  test('--detach leaves the run to a server in the background', async () => {
    const place = await project('detached')
    try {
      const { code, stdout, stderr } = await runCli(['orchestrate', '--detach', './hello.yaml'], place)
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      expect(stdout).toMatch(/^run_\w+\n$/)
      const logs = await runCli(['runs', 'logs', '--follow', stdout.trim()], place)
      expect(logs.stdout).toMatch(/^greet │ hello world$/m)
      expect((await runCli(['doctor'], place)).stdout).toMatch(/✔ server +process \d+ serves http:\/\/127\.0\.0\.1:\d+/)
      expect((await runCli(['agents', '--json'], place)).stdout).toContain('"pool":"local"')
      const again = await runCli(['serve'], place)
      expect(again.code).toBe(75)
      expect(again.stderr).toMatch(/in use by process \d+/)
    } finally {
      await stopServer(place)
    }
    await expect(stat(join(place.data, 'server.json'))).rejects.toThrow('ENOENT')
  })
})

test('several calls that want a server in the background agree on one', async () => {
  const place = await project('crowd')
  try {
    const calls = await Promise.all([1, 2, 3].map(() => runCli(['orchestrate', '--detach', './hello.yaml'], place)))
    for (const call of calls) expect(call).toMatchObject({ code: 0, stderr: '' })
    expect(new Set(calls.map(({ stdout }) => stdout)).size).toBe(3)
  } finally {
    await stopServer(place)
  }
})

describe('people', () => {
  test('answer questions, keep checkpoints and fork from them', async () => {
    const flow = `name: asked\nsteps:\n  first: { command: [echo, first] }\n  ask: { needs: [first], approval: { message: 'Go on?' } }\n  last: { needs: [ask], command: [echo, last] }\n`
    const place = await project('asked', { 'flow.yaml': flow })
    try {
      const run = (await runCli(['orchestrate', '--detach', 'flow.yaml'], place)).stdout.trim()
      const pending = async () => documentsOf((await runCli(['approvals', '--json'], place)).stdout)
      await expect.poll(pending, { timeout: 30_000, interval: 200 }).toHaveLength(1)
      const [question] = await pending()
      expect(question).toMatchObject({ message: 'Go on?', runId: run })
      const kept = await runCli(['checkpoint', '--name', 'asked', '--run', run], place)
      expect(kept.stdout).toMatch(/asked keeps 1 of 3 steps/)
      expect((await runCli(['approvals', 'approve', question!.id as string, '--comment', 'yes'], place)).code).toBe(0)
      expect((await runCli(['runs', 'logs', '-f', run], place)).stdout).toMatch(/last │ last/)
      const twice = await runCli(['approvals', 'reject', question!.id as string], place)
      expect(twice.code).toBe(75)
      expect((await runCli(['checkpoint', '--list'], place)).stdout).toMatch(/^asked +run_/)
      const fork = (await runCli(['checkpoint', '--fork', 'asked', '--detach'], place)).stdout.trim()
      await expect.poll(pending, { timeout: 30_000, interval: 200 }).toHaveLength(1)
      const [forked] = await pending()
      expect(forked).toMatchObject({ runId: fork })
      expect((await runCli(['approvals', 'reject', forked!.id as string], place)).code).toBe(0)
      expect((await runCli(['orchestrate', '--resume', fork], place)).code).toBe(1)
    } finally {
      await stopServer(place)
    }
  })

  test('spawn a task for an agent of their own', async () => {
    const place = await project('spawn', { 'leanvibe.yaml': 'pools:\n  parrot:\n    command: [cat]\n' })
    const task = 'say $(touch injected) "quoted" ${{ inputs.x }}'
    const { code, stdout, stderr } = await runCli(['spawn', '--task', task, '--depth', 'deep'], place)
    expect(stderr).toBe('')
    expect(stdout).toContain(task)
    expect(code).toBe(0)
    expect(await readdir(place.cwd)).not.toContain('injected')
    const none = await runCli(['spawn', '--task', 'x'], await project('spawn-none'))
    expect(none.code).toBe(65)
    expect(none.stderr).toMatch(/no pool of agents takes tasks/)
  })
})

test('monitor shows what is there, and null for what is not', async () => {
  const place = await project('monitor')
  await runCli(['orchestrate', './hello.yaml'], place)
  const [document] = documentsOf((await runCli(['monitor', '--json'], place)).stdout)
  const figures = monitorSchema.parse(document)
  expect(figures.runs.byState).toEqual({ succeeded: 1 })
  expect(figures.host!.memory.usedBytes).toBeGreaterThan(0)
  expect(figures.host!.memory.usedBytes).toBeLessThan(figures.host!.memory.totalBytes)
  expect(figures.rates.throughput1m).toBeCloseTo(4 / 60, 2)
  expect(figures.rates.failures5m).toBe(0)
  expect(figures.databaseBytes).toBeGreaterThan(1_000_000)
  const text = (await runCli(['monitor', '--metrics'], place)).stdout
  for (const name of ['cpu', 'memory', 'agents', 'queue', 'throughput', 'event lag', 'database'])
    expect(text).toContain(name)
  const live = startCli(['monitor', '--real-time', '--interval', '1'], place)
  await expect.poll(() => live.stdout().split('leanvibe 20').length, { timeout: 20_000 }).toBeGreaterThan(2)
  live.child.kill('SIGINT')
  expect((await live.ended).code).toBe(0)
})

test('works on PostgreSQL as on the embedded database', { timeout: 120_000 }, async () => {
  const server = await startPostgresServer()
  try {
    const place = await project('postgres')
    const options = { ...place, env: { DATABASE_URL: server.url() } }
    expect((await runCli(['doctor'], options)).stdout).toMatch(/✔ database +PostgreSQL 1[5-9]/)
    const result = await runCli(['orchestrate', './hello.yaml'], options)
    expect(result.stderr).toBe('')
    expect(result.stdout).toMatch(/✔ hello succeeded/)
    const runs = documentsOf((await runCli(['runs', '--json'], options)).stdout)
    expect(runs).toEqual([expect.objectContaining({ workflow: 'hello', state: 'succeeded' })])
    expect((await runCli(['runs'], place)).stdout).toMatch(/no runs yet/)
  } finally {
    await server.destroy()
  }
})

describe('trouble', () => {
  test('a data folder that cannot be used is told with what to do', async () => {
    const place = await project('unusable', { occupied: 'a file' })
    for (const folder of ['occupied', 'occupied/inner']) {
      const { code, stderr } = await runCli(['runs', '--data', folder], place)
      expect(code).toBe(69)
      expect(stderr).toMatch(/data-folder-unusable[\s\S]*next {2}/)
    }
  })

  test('a run that does not exist, a repository that is none, a database that is not there', async () => {
    const place = await project('missing')
    const unknown = await runCli(['runs', 'show', 'run_none'], place)
    expect(unknown.code).toBe(66)
    expect(unknown.stderr).toMatch(/run_none/)
    const bare = join(place.cwd, 'bare')
    await mkdir(bare)
    const noRepo = await runCli(['orchestrate', './hello.yaml', '--repo', '/nowhere/at/all'], place)
    expect([65, 66]).toContain(noRepo.code)
    expect(noRepo.stderr).toMatch(/next {2}/)
    const noServer = await runCli(['runs'], {
      ...place,
      env: { DATABASE_URL: 'postgres://me:hunter2@127.0.0.1:1/none' },
    })
    expect(noServer.code).toBe(69)
    expect(noServer.stderr).not.toContain('hunter2')
  })

  test('nothing is written into a repository that is only looked at', async () => {
    const place = await project('looker')
    const repo = join(scratch.path, 'looked-at')
    await mkdir(repo)
    const env = { PATH: process.env.PATH ?? '', GIT_CONFIG_GLOBAL: '/dev/null' }
    execFileSync('git', ['init', '-q', repo], { env })
    await writeFile(join(repo, 'a.txt'), 'a\n')
    execFileSync('git', ['-C', repo, 'add', '.'], { env })
    execFileSync('git', ['-C', repo, '-c', 'user.name=a', '-c', 'user.email=a@b', 'commit', '-qm', 'x'], { env })
    const before = await readdir(repo, { recursive: true })
    expect((await runCli(['orchestrate', './hello.yaml', '--repo', repo], place)).code).toBe(0)
    expect((await readdir(repo, { recursive: true })).sort()).toEqual(before.sort())
  })
})
