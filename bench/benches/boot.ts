import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import type { Bench } from '../harness/bench.ts'
import type { Server } from '../harness/postgres.ts'
import { spreadResults } from '../harness/report.ts'

const program = fileURLToPath(new URL('../../bin/leanvibe.js', import.meta.url))
const workflow = 'name: one\nsteps:\n  only: { command: [node, --version] }\n'
/** Until loops know that nothing happens, and then for so long. */
const restMs = 10_000
const idleMs = 20_000
/** Linux counts processor time in hundredths of a second. */
const ticksPerSecond = 100

/** How soon the embedded platform is of use, and what it takes up when it has nothing to do. */
export const bench: Bench = {
  targets: {},
  async measure(server, { rounds, note }) {
    const cold: number[] = []
    const warm: number[] = []
    const memory: number[] = []
    const processor: number[] = []
    for (let round = 0; round < rounds; round++) {
      const folder = await mkdtemp(join(tmpdir(), 'leanvibe-boot-'))
      await writeFile(join(folder, 'one.yaml'), workflow)
      cold.push(await timeToFirstTask(folder))
      warm.push(await timeToFirstTask(folder))
      const idle = await whenIdle(folder)
      memory.push(idle.mebibytes)
      processor.push(idle.percent)
      await rm(folder, { recursive: true, force: true })
      note(
        `round ${round + 1}/${rounds}: cold ${cold.at(-1)} ms, warm ${warm.at(-1)} ms, idle ${memory.at(-1)} MiB, ${processor.at(-1)} % of a core`,
      )
    }
    const asked = await transactionsWhenIdle(server)
    note(`idle serve on PostgreSQL: ${asked} transactions/s`)
    return {
      results: [
        ...spreadResults('transactions when idle, one serve on PostgreSQL', [asked], '/s'),
        ...spreadResults('first task done, new data folder', cold, 'ms'),
        ...spreadResults('first task done, old data folder', warm, 'ms'),
        ...spreadResults('resident when idle, all processes', memory, 'MiB'),
        ...spreadResults('processor when idle, all processes', processor, '% of a core'),
      ],
      ratios: {},
    }
  },
}

/** What a server with nothing to do asks of PostgreSQL, as that counts it. */
async function transactionsWhenIdle(server: Server): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'leanvibe-boot-'))
  const url = await server.createDatabase('idle_serve')
  const client = new pg.Client(url)
  await client.connect()
  let asked = 0
  const count = async () => {
    asked += 1
    const { rows } = await client.query<{ n: string }>(
      'select xact_commit + xact_rollback as n from pg_stat_database where datname = current_database()',
    )
    return Number(rows[0]?.n) - asked
  }
  try {
    const child = start(folder, ['serve'], 'pipe', { DATABASE_URL: url })
    const exited = once(child, 'exit')
    await listening(child, exited)
    await delay(restMs)
    const [before, began] = [await count(), performance.now()]
    await delay(idleMs)
    const perSecond = ((await count()) - before) / ((performance.now() - began) / 1_000)
    child.kill('SIGTERM')
    await exited
    return Math.round(perSecond * 100) / 100
  } finally {
    await client.end()
    await server.dropDatabase('idle_serve')
    await rm(folder, { recursive: true, force: true })
  }
}

async function listening(child: ChildProcess, exited: Promise<unknown[]>): Promise<void> {
  await Promise.race([
    once(child.stdout!, 'data'),
    exited.then(([code]) => Promise.reject(new Error(`serve ended: ${code}`))),
  ])
  child.stdout!.resume()
}

function start(
  folder: string,
  args: readonly string[],
  output: 'pipe' | 'ignore',
  more: Readonly<Record<string, string>> = {},
): ChildProcess {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(LEANVIBE_|DATABASE_URL$)/.test(name))
  return spawn(process.execPath, [program, ...args], {
    cwd: folder,
    env: { ...Object.fromEntries(inherited), HOME: folder, ...more },
    stdio: ['ignore', output, 'inherit'],
  })
}

/** Milliseconds from the start of the program to its word that the first task has succeeded. */
async function timeToFirstTask(folder: string): Promise<number> {
  const started = performance.now()
  const child = start(folder, ['orchestrate', './one.yaml', '--json'], 'pipe')
  const exited = once(child, 'exit')
  let milliseconds: number | undefined
  for await (const line of createInterface({ input: child.stdout! })) {
    if (milliseconds === undefined && (JSON.parse(line) as { type?: string }).type === 'task.succeeded')
      milliseconds = Math.round(performance.now() - started)
  }
  const [code] = await exited
  if (code !== 0 || milliseconds === undefined) throw new Error(`orchestrate ended with exit code ${code}`)
  return milliseconds
}

/** What the server and its children hold in memory after some seconds of rest, and what they do then. Linux only. */
async function whenIdle(folder: string): Promise<{ readonly mebibytes: number; readonly percent: number }> {
  const child = start(folder, ['serve'], 'pipe')
  const exited = once(child, 'exit')
  await listening(child, exited)
  await delay(restMs)
  const before = await processorTicks(child.pid!)
  const began = performance.now()
  await delay(idleMs)
  const seconds = ((await processorTicks(child.pid!)) - before) / ticksPerSecond
  const percent = Math.round((seconds / (performance.now() - began)) * 1_000 * 10_000) / 100
  const kilobytes = await residentKilobytes(child.pid!)
  child.kill('SIGTERM')
  await exited
  return { mebibytes: Math.round(kilobytes / 1_024), percent }
}

/** Processor time of a process and its children by now. */
async function processorTicks(pid: number): Promise<number> {
  const times = await Promise.all(
    (await familyOf(pid)).map(async (member) => {
      const stat = await readFile(`/proc/${member}/stat`, 'utf8').catch(() => '')
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      return Number(fields[11] ?? 0) + Number(fields[12] ?? 0)
    }),
  )
  return times.reduce((sum, time) => sum + time, 0)
}

async function residentKilobytes(pid: number): Promise<number> {
  const sizes = await Promise.all(
    (await familyOf(pid)).map(async (member) => {
      const status = await readFile(`/proc/${member}/status`, 'utf8').catch(() => '')
      return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0)
    }),
  )
  return sizes.reduce((sum, size) => sum + size, 0)
}

/** A process and all that it has started, directly or not. */
async function familyOf(pid: number): Promise<number[]> {
  const parents = new Map<number, number>()
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => null) // it may have ended meanwhile
    if (stat !== null) parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]))
  }
  const family = [pid]
  for (const member of family) for (const [child, parent] of parents) if (parent === member) family.push(child)
  return family
}
