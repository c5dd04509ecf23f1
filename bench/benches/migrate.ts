import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { openDatabase } from '../../src/foundation/platform/database/open-database.ts'
import type { Bench } from '../harness/bench.ts'
import { spreadResults } from '../harness/report.ts'
import { fillDatabase, readContents } from '../ours/large-database.ts'

const program = fileURLToPath(new URL('../../bin/leanvibe.js', import.meta.url))
const tasks = Number(process.env.BENCH_MIGRATE_TASKS ?? 200_000)
/** A data folder that was filled by an earlier call, or is to be kept for a later one. */
const kept = process.env.BENCH_MIGRATE_FOLDER
/** Without the moves that are killed, where time is short. */
const kills = process.env.BENCH_MIGRATE_KILLS !== 'off'

interface Move {
  readonly seconds: number
  readonly mebibytes: number
  readonly lines: number
  readonly killed: boolean
}

/** `migrate-to` with a large database, both ways, killed -9 once in the middle of each. */
export const bench: Bench = {
  targets: {},
  async measure(server, { note }) {
    const folder = await mkdtemp(join(tmpdir(), 'leanvibe-migrate-'))
    const first = join(folder, 'first')
    const back = join(folder, 'back')
    const source = kept ?? join(folder, 'filled')
    if (!existsSync(join(source, 'database'))) {
      await mkdir(source, { recursive: true })
      await fillDatabase(join(source, 'database'), tasks, note)
    }
    await cp(source, first, { recursive: true })
    await writeFile(join(folder, 'leanvibe.yaml'), '')
    const url = await server.createDatabase('migrate_large')
    try {
      const embedded = { LEANVIBE_DATA: first }
      const onServer = { LEANVIBE_DATA: first, DATABASE_URL: url }
      const before = await contents(join(first, 'database'), note)
      const out = await both('to PostgreSQL', folder, embedded, url, note)
      const home = await both('back', folder, onServer, back, note)
      const after = await contents(join(back, 'database'), note)
      if (JSON.stringify(before) !== JSON.stringify(after))
        throw new Error(`${JSON.stringify(before)} became ${JSON.stringify(after)}`)
      return {
        results: [
          ...spreadResults('tasks', [before.tasks], 'tasks'),
          ...spreadResults('events', [before.events], 'events'),
          ...spreadResults('embedded to PostgreSQL', [out.seconds], 's'),
          ...spreadResults('embedded to PostgreSQL, resident at most', [out.mebibytes], 'MiB'),
          ...spreadResults('PostgreSQL to embedded', [home.seconds], 's'),
          ...spreadResults('PostgreSQL to embedded, resident at most', [home.mebibytes], 'MiB'),
        ],
        ratios: {},
      }
    } finally {
      await server.dropDatabase('migrate_large')
      await rm(folder, { recursive: true, force: true })
    }
  },
}

async function contents(folder: string, note: (text: string) => void) {
  const database = await openDatabase({ kind: 'pglite', folder })
  try {
    const found = await readContents(database)
    note(`${found.tasks} tasks, ${found.events} events, ${found.waiting} tasks waiting`)
    return found
  } finally {
    await database.close()
  }
}

/** Once killed in the middle of the copy, then as a whole. */
async function both(
  name: string,
  cwd: string,
  env: Readonly<Record<string, string>>,
  to: string,
  note: (text: string) => void,
): Promise<Move> {
  if (kills) {
    const broken = await move(cwd, { ...env, LEANVIBE_FAILPOINTS: 'move.batch=kill@60' }, to)
    if (!broken.killed) throw new Error(`${name}: it was not killed`)
    note(`${name}: killed after ${broken.seconds.toFixed(1)} s`)
  }
  const whole = await move(cwd, env, to)
  note(`${name}: ${whole.seconds.toFixed(1)} s, ${whole.mebibytes} MiB at most, ${whole.lines} lines of progress`)
  return whole
}

async function move(cwd: string, env: Readonly<Record<string, string>>, to: string): Promise<Move> {
  const started = performance.now()
  const child = spawn(process.execPath, [program, 'migrate-to', to], {
    cwd,
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let mebibytes = 0
  const sampling = setInterval(() => {
    mebibytes = Math.max(mebibytes, residentOf(child.pid!))
  }, 250)
  let lines = 0
  const errors: string[] = []
  createInterface({ input: child.stderr }).on('line', (line) => {
    lines += 1
    errors.push(line)
  })
  child.stdout.resume()
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve) =>
    child.on('close', (code, signal) => resolve([code, signal])),
  )
  clearInterval(sampling)
  if (code !== 0 && signal !== 'SIGKILL') throw new Error(errors.slice(-5).join('\n'))
  return { seconds: (performance.now() - started) / 1_000, mebibytes, lines, killed: signal === 'SIGKILL' }
}

/** Of the process with its threads; the shim and the program may be two processes. */
function residentOf(pid: number): number {
  try {
    const own = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1_024
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim()
    return Math.round(
      own + children.split(' ').reduce((sum, child) => (child === '' ? sum : sum + residentOf(Number(child))), 0),
    )
  } catch {
    return 0
  }
}
