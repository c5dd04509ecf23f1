import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, realpathSync, rmSync } from 'node:fs'
import { platform, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { testWhen } from '../../../../test/support/when.ts'
import { aliveOf, Supervisor, sweepLeftovers, systemProcessTable } from './index.ts'
import { ProcessJournal } from './process-journal.ts'
import { processScope } from './system-process-table.ts'

const table = systemProcessTable()
const program = fileURLToPath(new URL('./runner.fixture.ts', import.meta.url))
const stubborn = 'trap "" TERM; while :; do sleep 1; done'
const family = `setsid bash -c '(${stubborn}) & ${stubborn}' & (${stubborn}) & echo up; ${stubborn}`
let folder: string
let count = 0
const marker = () => `death-${process.pid}-${count}`
const alive = () => aliveOf({ marker: marker(), main: null }, table)

beforeEach(() => {
  count += 1
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'leanvibe-death-')))
})
afterEach(() => {
  for (const entry of alive()) process.kill(entry.pid, 'SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

/** What is promised. */
const withinMs = 2_000

/** A runner with a family of stubborn processes, four at least. */
async function startRunner(): Promise<{ runner: ChildProcess; supervisor: number }> {
  const command = JSON.stringify({ marker: marker(), file: 'bash', args: ['-c', family] })
  const runner = spawn(process.execPath, [program, folder, '', command], { stdio: ['pipe', 'pipe', 'inherit'] })
  let output = ''
  runner.stdout!.on('data', (chunk) => {
    output += chunk
  })
  await expect.poll(() => output, { timeout: 60_000 }).toMatch(/running \d+/)
  await expect.poll(() => alive().length, { timeout: 60_000 }).toBeGreaterThanOrEqual(8)
  return { runner, supervisor: Number(/running (\d+)/.exec(output)![1]) }
}

async function killed(process: ChildProcess, signal: NodeJS.Signals = 'SIGKILL') {
  process.kill(signal)
  await once(process, 'exit')
}

const gone = (pid: number) => {
  const entry = table.find(pid)
  return entry === null || entry.zombie
}

describe('when the runner is killed', () => {
  it('its supervisor ends children, grandchildren and daemons within two seconds, and leaves', async () => {
    const { runner, supervisor } = await startRunner()
    await killed(runner)
    const from = performance.now()
    await expect.poll(alive, { timeout: withinMs, interval: 20 }).toEqual([])
    expect(performance.now() - from).toBeLessThan(withinMs)
    await expect.poll(() => gone(supervisor), { timeout: withinMs }).toBe(true)
    expect(await sweepLeftovers(folder)).toEqual({ ended: [], survivors: [], live: [] })
    expect(readdirSync(folder)).toEqual([])
  })

  it('together with its supervisor, the next start ends them', async () => {
    const { runner, supervisor } = await startRunner()
    process.kill(supervisor, 'SIGKILL')
    await killed(runner)
    expect(alive().length).toBeGreaterThanOrEqual(8)
    const report = await sweepLeftovers(folder)
    expect(report).toEqual({
      ended: [{ marker: marker(), processes: expect.any(Number) }],
      survivors: [],
      live: [],
    })
    expect(alive()).toEqual([])
    expect(readdirSync(folder)).toEqual([])
  })

  it('a sweep at the same moment waits for the supervisor', async () => {
    const { runner } = await startRunner()
    await killed(runner)
    const report = await sweepLeftovers(folder)
    expect(report.survivors).toEqual([])
    expect(alive()).toEqual([])
  })
})

it('a sweep leaves the work of a living runner alone', async () => {
  const { runner } = await startRunner()
  const before = alive().length
  expect(await sweepLeftovers(folder)).toEqual({ ended: [], survivors: [], live: [marker()] })
  expect(alive().length).toBeGreaterThanOrEqual(before)
  runner.stdin!.end()
  await once(runner, 'exit')
  expect(alive()).toEqual([])
  expect(readdirSync(folder)).toEqual([])
})

it('a sweep never touches a process whose number was written down, but whose start differs', async () => {
  const stranger = spawn('sleep', ['100'])
  try {
    const path = mkdtempSync(join(folder, 'supervisor-'))
    const dead = { pid: 4_194_000, start: '1' }
    const journal = new ProcessJournal(join(path, 'journal.ndjson'), {
      supervisor: { pid: stranger.pid!, start: '1' },
      runner: dead,
      scope: processScope(),
    })
    journal.open('x')
    journal.started('x', { pid: stranger.pid!, start: '1' })
    journal.dispose()
    expect(await sweepLeftovers(folder)).toEqual({ ended: [], survivors: [], live: [] })
    expect(gone(stranger.pid!)).toBe(false)
  } finally {
    await killed(stranger)
  }
})

it('what was written down before a restart of the machine names nobody', async () => {
  const path = mkdtempSync(join(folder, 'supervisor-'))
  const self = table.find(process.pid)!
  const owner = { supervisor: null, runner: { pid: self.pid, start: self.start }, scope: 'another boot' }
  const journal = new ProcessJournal(join(path, 'journal.ndjson'), owner)
  journal.open('x')
  journal.started('x', { pid: self.pid, start: self.start })
  journal.dispose()
  expect(await sweepLeftovers(folder)).toEqual({ ended: [], survivors: [], live: [] })
  expect(readdirSync(folder)).toEqual([])
})

describe('when the supervisor is killed', () => {
  it('its commands are ended and told as lost, and the next command starts another', async () => {
    await using supervisor = new Supervisor({ folder })
    const request = {
      marker: marker(),
      env: { PATH: '/usr/local/bin:/usr/bin:/bin' },
      cwd: '/',
      onStdout: () => {},
      onStderr: () => {},
    }
    const running = await supervisor.start({ ...request, file: 'bash', args: ['-c', family] })
    const first = supervisor.pid!
    await expect.poll(() => alive().length, { timeout: 60_000 }).toBeGreaterThanOrEqual(8)
    process.kill(first, 'SIGKILL')
    expect(await running.ended).toMatchObject({ lost: true, survivors: 0, exitCode: null, signal: null })
    expect(alive()).toEqual([])
    const next = await supervisor.start({ ...request, file: 'true', args: [] })
    expect(await next.ended).toMatchObject({ lost: false, exitCode: 0 })
    expect(supervisor.pid).not.toBe(first)
  })

  it.each(['supervisor.spawn.before', 'supervisor.spawn.after'])('at %s nothing is left running', async (name) => {
    await using supervisor = new Supervisor({ folder, failpoints: `${name}=kill` })
    const start = supervisor.start({
      marker: marker(),
      file: 'bash',
      args: ['-c', family],
      env: { PATH: '/usr/local/bin:/usr/bin:/bin' },
      cwd: '/',
      onStdout: () => {},
      onStderr: () => {},
    })
    await expect(start).rejects.toMatchObject({ code: 'supervisor-lost' })
    expect(alive()).toEqual([])
  })
})

it('a polite end of the supervisor ends its commands too', async () => {
  const { runner, supervisor } = await startRunner()
  process.kill(supervisor, 'SIGTERM')
  await expect.poll(alive, { timeout: withinMs, interval: 20 }).toEqual([])
  runner.stdin!.end()
  await once(runner, 'exit')
})

testWhen(platform() === 'linux', 'only on Linux')(
  'keeps files that were left open to the runner from its commands',
  async () => {
    const args = [program, folder, '', JSON.stringify({ marker: marker(), file: 'ls', args: ['/proc/self/fd'] })]
    const open = ['-c', 'exec 77</etc/passwd; exec "$@"', 'bash', process.execPath]
    const runner = spawn('bash', [...open, ...args], { stdio: ['pipe', 'pipe', 'inherit'] })
    let output = ''
    runner.stdout!.on('data', (chunk) => {
      output += chunk
    })
    await expect.poll(() => output, { timeout: 60_000 }).toContain('ended')
    expect(output).toContain('0\n1\n2\n3\n')
    expect(output).not.toMatch(/^(?:[4-9]|\d\d+)$/m)
    runner.stdin!.end()
    await once(runner, 'exit')
  },
)

it('refuses work once it is closed', async () => {
  const supervisor = new Supervisor({ folder })
  await supervisor.close()
  const request = { marker: 'm', file: 'true', args: [], env: {}, cwd: '/', onStdout: () => {}, onStderr: () => {} }
  await expect(supervisor.start(request)).rejects.toMatchObject({ code: 'supervisor-lost' })
})
