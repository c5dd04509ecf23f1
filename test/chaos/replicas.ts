import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { seededRandom } from '../../src/foundation/kernel/random.ts'
import { CrashPlace } from '../crash/crash-place.ts'
import { type PostgresServer, startPostgresServer } from '../support/postgres-server.ts'
import { type Arrivals, keepArriving } from './arrivals.ts'
import { type Fault, type FaultKind, planFaults } from './fault-plan.ts'
import { FleetProcess, prepareTraces } from './fleet-process.ts'
import { longestPause, type Sample, stallsOf, watchQueue } from './stall-watch.ts'

export interface ChaosSettings {
  readonly seed: number
  readonly durationMs: number
  readonly faults: number
  readonly runsPerSecond: number
  /** Only faults of these kinds. Default: all. */
  readonly kinds?: readonly FaultKind[] | undefined
  /** Told of what is done, line by line. */
  readonly tell: (line: string) => void
}

/** A runner that died, or stood still for too long: how long its tasks took to be with others. */
export interface Release {
  readonly fault: string
  readonly tasks: number
  readonly ms: number
}

export interface ChaosRun {
  readonly arrivals: Arrivals
  readonly samples: readonly Sample[]
  readonly releases: readonly Release[]
  /** PostgreSQL was away, or had only just come back. */
  readonly outages: readonly { readonly from: number; readonly to: number }[]
  readonly faults: number
}

const serves = 3
const works = 4
/** After PostgreSQL is back, all connect again. */
const settleMs = 5_000

/** Three servers and four runners on one PostgreSQL, and what the seed decides to do to them. */
export class ReplicaChaos implements AsyncDisposable {
  readonly traces: CrashPlace
  readonly server: PostgresServer
  readonly fleet: readonly FleetProcess[]
  readonly #settings: ChaosSettings
  readonly #busy = new Set<FleetProcess>()
  readonly #releases: Release[] = []
  readonly #outages: { from: number; to: number }[] = []
  /** By `performance.now()`. */
  startedAt = 0

  private constructor(settings: ChaosSettings, server: PostgresServer, fleet: readonly FleetProcess[]) {
    this.#settings = settings
    this.server = server
    this.fleet = fleet
    this.traces = new CrashPlace('chaos-traces')
    prepareTraces(this.traces.folder)
  }

  static async start(settings: ChaosSettings): Promise<ReplicaChaos> {
    // A commit that was told must outlive the crash of the server; the machine itself does not fail.
    const server = await startPostgresServer({ settings: { synchronous_commit: 'on' } })
    const database = { url: server.url(), port: server.port }
    const make = (kind: 'serve' | 'work', count: number, args: readonly string[]) =>
      Array.from({ length: count }, (_, n) => FleetProcess.create(`${kind}-${n + 1}`, kind, database, args))
    const fleet = await Promise.all([
      ...make('serve', serves, ['--agents', '2', '--no-admin-key']),
      ...make('work', works, ['--slots', '4']),
    ])
    const chaos = new ReplicaChaos(settings, server, fleet)
    try {
      // Not seven at a time: beside other tests the database might be too slow to answer the first of them.
      await Promise.all(chaos.servers.map((process) => process.start()))
      await Promise.all(fleet.filter(({ kind }) => kind === 'work').map((process) => process.start()))
      const down = fleet.filter((process) => !process.isUp)
      if (down.length > 0) throw new Error(down.map((process) => process.complaints()).join('\n'))
      return chaos
    } catch (error) {
      await chaos[Symbol.asyncDispose]()
      throw error
    }
  }

  get servers(): readonly FleetProcess[] {
    return this.fleet.filter(({ kind }) => kind === 'serve')
  }

  /** Lets work arrive and does what is planned; resolves when the last fault is over. Work may still be under way then. */
  async run(): Promise<ChaosRun> {
    const { seed, durationMs, faults: count, runsPerSecond, kinds, tell } = this.#settings
    const taskScript = fileURLToPath(new URL('task.sh', import.meta.url))
    const watching = new AbortController()
    const arriving = new AbortController()
    this.startedAt = performance.now()
    const samples = watchQueue(this.server.url(), watching.signal)
    const arrivals = keepArriving(
      { serves: this.servers, traces: this.traces, taskScript, random: seededRandom(seed + 1), runsPerSecond },
      arriving.signal,
    )
    arrivals.catch(() => {})
    const faults = planFaults({
      ...{ seed, faults: count, durationMs, serves, works },
      ...(kinds === undefined ? {} : { kinds }),
    })
    await Promise.all(faults.map((fault) => this.#meet(fault)))
    await sleep(Math.max(0, durationMs - this.#now()))
    arriving.abort()
    const arrived = await arrivals
    tell(
      `${seconds(this.#now())}  ${arrived.runs.size} of ${arrived.count} runs have arrived; repeated: ${JSON.stringify(arrived.refusals)}`,
    )
    watching.abort()
    return {
      arrivals: arrived,
      samples: await samples,
      releases: this.#releases,
      outages: this.#outages,
      faults: faults.length,
    }
  }

  async query<Row extends object>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    const client = new pg.Client({ connectionString: this.server.url(), options: '-c enable_nestloop=off' })
    client.on('error', () => {})
    await client.connect()
    try {
      return (await client.query<Row>(text, [...values])).rows
    } finally {
      await client.end()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.fleet.map((process) => process.remove()))
    await this.traces.remove()
    await this.server.destroy()
  }

  #now(): number {
    return performance.now() - this.startedAt
  }

  async #meet(fault: Fault): Promise<void> {
    await sleep(fault.at)
    if (fault.kind === 'restart-postgres') return this.#restartPostgres(fault)
    const victim = await this.#lend(fault)
    try {
      const begun = this.#now()
      this.#settings.tell(`${seconds(begun)}  ${fault.kind} ${victim.name}, ${describe(fault)}`)
      await this.#harm(fault, victim)
    } finally {
      this.#busy.delete(victim)
      this.#settings.tell(`${seconds(this.#now())}  over: ${fault.kind} ${victim.name}`)
    }
  }

  /** A process that nothing else is being done to: the one that the plan names, or the next. */
  async #lend({ kind, victim }: Fault): Promise<FleetProcess> {
    const mine = this.fleet.filter((process) => kind.includes(process.kind) || !/serve|work/.test(kind))
    for (;;) {
      const found = mine.map((_, n) => mine[(victim + n) % mine.length]!).find((process) => !this.#busy.has(process))
      if (found !== undefined) {
        this.#busy.add(found)
        return found
      }
      await sleep(50)
    }
  }

  async #harm(fault: Fault, victim: FleetProcess): Promise<void> {
    const { kind, forMs } = fault
    if (kind.startsWith('kill')) {
      const release = this.#watchRelease(victim, fault)
      await Promise.all([victim.killAndRestart(forMs), release])
    } else if (kind.endsWith('in-tick')) {
      const seen = new Promise<void>((resolve) => {
        victim.proxy.onNext(fault.statement, () => {
          victim.signal('SIGSTOP')
          resolve()
        })
      })
      // One that ticks for nobody now is stopped wherever it is.
      await Promise.race([seen, sleep(5_000)])
      victim.proxy.onNext(null)
      victim.signal('SIGSTOP')
      await sleep(forMs)
      victim.signal('SIGCONT')
    } else if (kind.endsWith('past-lease')) {
      const release = this.#watchRelease(victim, fault)
      victim.signal('SIGSTOP')
      await sleep(forMs)
      victim.signal('SIGCONT')
      await release
    } else if (kind.startsWith('silence')) {
      victim.proxy.silence()
    } else if (kind.startsWith('hold')) {
      victim.proxy.hold(true)
      await sleep(forMs)
      victim.proxy.hold(false)
    } else if (kind === 'break-connections') {
      victim.proxy.breakAll()
    } else {
      victim.setClock(fault.byMs)
      await sleep(forMs)
      victim.setClock(0)
    }
  }

  /** Notes how long the tasks that a runner has now take to be taken from it and begun by others, or to have ended. */
  async #watchRelease(victim: FleetProcess, fault: Fault): Promise<void> {
    const { runner } = victim
    if (runner === null) return
    const from = performance.now()
    const held = await this.query<{ id: string; fence: number }>(
      `select id, fence::int from tasks where runner_id = $1 and state in ('leased', 'running')`,
      [runner],
    ).catch(() => [])
    if (held.length === 0) return
    const lost = () =>
      this.query<{ id: string }>(
        `select t.id from tasks t join unnest($1::text[], $2::int[]) as h(id, fence) on h.id = t.id
        where t.fence = h.fence and t.state in ('leased', 'running')`,
        [held.map(({ id }) => id), held.map(({ fence }) => fence)],
      ).catch(() => [{ id: 'unknown' }])
    while ((await lost()).length > 0 && performance.now() - from < 60_000) await sleep(50)
    const lostMs = Math.round(performance.now() - from)
    const left = () =>
      this.query<{ id: string }>(
        `select t.id from tasks t join unnest($1::text[], $2::int[]) as h(id, fence) on h.id = t.id
        where t.fence = h.fence and t.state in ('leased', 'running') or t.fence > h.fence and t.state = 'ready'
          or t.fence = h.fence and t.state = 'ready'`,
        [held.map(({ id }) => id), held.map(({ fence }) => fence)],
      ).catch(() => [{ id: 'unknown' }])
    while ((await left()).length > 0 && performance.now() - from < 60_000) await sleep(50)
    const to = performance.now()
    if (this.#outages.some((outage) => outage.from < to && outage.to > from)) return
    const ms = Math.round(to - from)
    this.#releases.push({ fault: `${fault.kind} ${victim.name} at ${seconds(fault.at)}`, tasks: held.length, ms })
    this.#settings.tell(
      `${seconds(this.#now())}  ${held.length} tasks of ${victim.name} are taken from it after ${lostMs} ms, with others after ${ms} ms`,
    )
  }

  async #restartPostgres(fault: Fault): Promise<void> {
    const from = performance.now()
    const outage = { from, to: Number.POSITIVE_INFINITY }
    this.#outages.push(outage)
    this.#settings.tell(`${seconds(this.#now())}  restart-postgres, down for ${fault.forMs} ms`)
    await this.server.stop('immediate')
    await sleep(fault.forMs)
    await this.server.start()
    outage.to = performance.now() + settleMs
  }
}

/** What the run comes to, with the stalls that PostgreSQL's own restart did not make. */
export function figuresOf(run: ChaosRun) {
  const [stall] = stallsOf(run.samples, run.outages)
  return {
    faults: run.faults,
    runs: run.arrivals.runs.size,
    repeatedRequests: run.arrivals.repeats,
    stallMs: Math.round(stall?.ms ?? 0),
    longestPauseMs: Math.round(longestPause(run.samples, run.outages).ms),
    tasksPerSecond: rateOf(run.samples),
    releases: run.releases.length,
    slowestReleaseMs: Math.max(0, ...run.releases.map(({ ms }) => ms)),
  }
}

function rateOf(samples: readonly Sample[]): number {
  const [first, last] = [samples[0], samples.at(-1)]
  if (first === undefined || last === undefined) return 0
  return Math.round(((last.completed - first.completed) / (last.at - first.at)) * 1_000)
}

function describe({ kind, forMs, byMs, statement }: Fault): string {
  if (kind === 'clock-jump') return `by ${byMs / 60_000} min for ${forMs} ms`
  if (kind.endsWith('in-tick')) return `after ${statement}, for ${forMs} ms`
  if (kind.startsWith('silence') || kind === 'break-connections') return 'its open connections'
  return `for ${forMs} ms`
}

const seconds = (ms: number) => `${(ms / 1_000).toFixed(1).padStart(6)} s`
