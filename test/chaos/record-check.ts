import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import { checkInvariants } from '../support/invariants.ts'
import { checkLedger } from '../support/ledger.ts'
import type { ChaosRun, ReplicaChaos } from './replicas.ts'

export interface RecordFigures {
  readonly tasks: number
  readonly attempts: number
  readonly lost: number
  /** Attempts that had lost their lease and did their work to the end all the same: their reports were refused. */
  readonly lateReports: number
}

/** Waits until every run that arrived has ended. */
export async function untilEnded(chaos: ReplicaChaos, limitMs: number): Promise<void> {
  const from = performance.now()
  for (;;) {
    const [row] = await chaos.query<{ open: number }>('select count(*)::int as open from runs where ended_at is null')
    if (row!.open === 0) return
    if (performance.now() - from > limitMs) {
      const stuck = await chaos.query(
        `select t.id, t.state, t.reason, t.pool, t.runner_id, t.fence::int, t.lease_until, r.state as run from tasks t
        join runs r on r.tenant_id = t.tenant_id and r.id = t.run_id where r.ended_at is null
          and t.state not in ('succeeded', 'skipped') limit 10`,
      )
      const agents = await chaos.query(`select id, state, slots, used, runner_id from agents where state <> 'offline'`)
      throw new Error(
        `${row!.open} runs have not ended after ${limitMs} ms: ${JSON.stringify({ stuck, agents }, null, 1)}`,
      )
    }
    await sleep(200)
  }
}

/** What must hold when the work is done and all processes are still there. */
export async function checkRecord(chaos: ReplicaChaos, run: ChaosRun): Promise<RecordFigures> {
  const owner = async <Row>(text: string, values: readonly unknown[] = []) =>
    (await chaos.query(text, values)) as unknown as Row[]
  // What follows joins all that was recorded, of which the planner knows nothing yet.
  await chaos.query('analyze')
  // Each arrival has exactly the run that it was told of, however often it had to be asked for.
  const runs = await owner<{ arrival: string; ids: string[]; states: string[]; errors: unknown[] }>(
    `select labels->>'arrival' as arrival, array_agg(id) as ids, array_agg(state) as states, array_agg(error) as errors
    from runs group by 1`,
  )
  const unlucky = runs.filter(({ states }) => states.some((state) => state !== 'succeeded'))
  const errors = await owner(
    `select run_id, id, state, attempt, error from tasks where run_id = any ($1) and error is not null limit 20`,
    [unlucky.flatMap(({ ids }) => ids)],
  )
  expect(unlucky, JSON.stringify(errors, null, 1)).toEqual([])
  const { arrivals } = run
  expect(
    runs.filter(({ arrival, ids }) => ids.length > 1 || (arrivals.runs.get(Number(arrival)) ?? ids[0]) !== ids[0]),
  ).toEqual([])
  expect([...arrivals.runs.keys()].filter((n) => !runs.some(({ arrival }) => Number(arrival) === n))).toEqual([])
  // Every task ended once: one end in the log, one attempt that succeeded, and its output is what that very attempt printed.
  const tasks = await owner<TaskRow>(`
    with won as (
      select tenant_id, task_id, array_agg(task_id || '.' || fence) as attempts from attempts
      where outcome = 'succeeded' group by 1, 2),
    ended as (
      select tenant_id, subject_id, count(*)::int as n from events where subject_kind = 'task'
        and type in ('task.succeeded', 'task.failed', 'task.cancelled', 'task.timed-out', 'task.skipped') group by 1, 2)
    select t.id, t.state, t.output, t.fence::int, won.attempts as succeeded, coalesce(ended.n, 0) as ends
    from tasks t left join won on won.tenant_id = t.tenant_id and won.task_id = t.id
    left join ended on ended.tenant_id = t.tenant_id and ended.subject_id = t.id`)
  const done = new Set(traces(chaos).flatMap(([what, attempt]) => (what === 'done' ? [attempt!] : [])))
  const wrong = tasks.filter(({ id, state, fence, output, succeeded, ends }) => {
    const [attempt] = succeeded ?? []
    return !(
      state === 'succeeded' &&
      ends === 1 &&
      succeeded?.length === 1 &&
      attempt === `${id}.${fence}` &&
      output?.attempt === attempt &&
      done.has(attempt)
    )
  })
  expect(wrong.slice(0, 5)).toEqual([])
  await checkInvariants(owner)
  await checkLedger(owner)
  const [left] = await owner(`
    select (select coalesce(sum(used), 0)::int from agents) as slots,
      (select coalesce(sum(used), 0)::int from concurrency_groups) as places,
      (select coalesce(sum(held + reserved), 0)::int from budgets) as held,
      (select count(*)::int from reservations where ended_at is null) as reservations,
      (select count(*)::int from tasks where lease_until is not null or state in ('leased', 'running')) as leases,
      (select count(*)::int from stream_leases) as stream_leases`)
  expect(left).toEqual({ slots: 0, places: 0, held: 0, reservations: 0, leases: 0, stream_leases: 0 })
  const lost = await owner<{ attempt: string }>(
    `select task_id || '.' || fence as attempt from attempts where outcome = 'lost'`,
  )
  const [counts] = await owner<{ attempts: number }>('select count(*)::int as attempts from attempts')
  return {
    tasks: tasks.length,
    attempts: counts!.attempts,
    lost: lost.length,
    lateReports: lost.filter(({ attempt }) => done.has(attempt)).length,
  }
}

interface TaskRow {
  readonly id: string
  readonly state: string
  readonly fence: number
  readonly output: { readonly attempt?: string } | null
  readonly succeeded: readonly string[] | null
  readonly ends: number
}

/** Ends the fleet in good order; afterwards nothing of it may be left anywhere. */
export async function checkShutdown(chaos: ReplicaChaos): Promise<void> {
  const ends = await Promise.all(chaos.fleet.map(async (process) => ({ process, end: await process.end() })))
  for (const { process, end } of ends) {
    expect({ name: process.name, code: end.code, signal: end.signal }, end.stderr.slice(-2_000)).toEqual({
      name: process.name,
      code: 0,
      signal: null,
    })
  }
  // What the silenced connections of dead processes left is for the network to end.
  await Promise.all(chaos.fleet.map(({ proxy }) => proxy.close()))
  await expect
    .poll(
      () =>
        chaos.query(`
          select a.application_name, a.state, a.query from pg_stat_activity a
          where a.pid <> pg_backend_pid() and a.backend_type = 'client backend'`),
      { timeout: 10_000, interval: 100 },
    )
    .toEqual([])
  expect(await chaos.query(`select * from pg_locks where locktype = 'advisory'`)).toEqual([])
  const [left] = await chaos.query(`
    select (select count(*)::int from runners where state <> 'lost') as runners,
      (select count(*)::int from agents where state <> 'offline') as agents`)
  expect(left).toEqual({ runners: 0, agents: 0 })
  await chaos.traces.untilQuiet()
  expect(chaos.traces.worktrees()).toHaveLength(1)
  for (const { name, kind, place } of chaos.fleet) {
    const data = kind === 'work' ? join(place.data, 'work') : place.data
    expect({ name, workspaces: names(join(data, 'workspaces')), supervisors: livingIn(data) }).toEqual({
      name,
      workspaces: [],
      supervisors: [],
    })
  }
}

/** What each task left: `begun` or `done`, and the attempt. */
function traces(chaos: ReplicaChaos): string[][] {
  const text = readFileSync(join(chaos.traces.folder, 'effects'), 'utf8').trim()
  return text.split('\n').map((line) => line.split(' '))
}

function names(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

/** Processes that work in a folder. */
function livingIn(folder: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false
    try {
      return readlinkSync(`/proc/${pid}/cwd`).startsWith(folder)
    } catch {
      return false
    }
  })
}
