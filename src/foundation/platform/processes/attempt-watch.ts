import { type ChildProcess, spawn } from 'node:child_process'
import { failpoint } from '../../kernel/failpoints.ts'
import { type Cgroup, Cgroups } from './cgroup-v2.ts'
import { endFamily } from './end-family.ts'
import { findFamilies } from './find-families.ts'
import { ForeignProcesses } from './foreign-processes.ts'
import { openChildFiles } from './open-child-files.ts'
import type { ProcessJournal } from './process-journal.ts'
import type { ProcessLimits } from './process-limits.ts'
import type { ProcessEntry, ProcessTable } from './process-table.ts'
import { shareCollectedCpu } from './process-usage.ts'
import { spawnErrorOf } from './spawn-error.ts'
import type { SpawnRequest, SupervisorReply } from './supervisor-protocol.ts'
import { WatchedAttempt } from './watched-attempt.ts'

const reportSamplesEveryMs = 1_000
/** Work that has a limit is looked at more often: memory fills quickly. */
const limitedSampleMs = 200
const cgroupsAgainMs = 10_000

/** The heart of the supervisor: starts commands, samples their families, and ends them to the last process. */
export class AttemptWatch {
  readonly #table: ProcessTable
  readonly #journal: ProcessJournal
  readonly #reply: (reply: SupervisorReply) => void
  readonly #excluded: ReadonlySet<number>
  readonly #attempts = new Map<number, WatchedAttempt>()
  readonly #finishing = new Set<Promise<void>>()
  readonly #foreign = new ForeignProcesses()
  readonly #markers = new Map<number, { readonly start: string; readonly marker: string }>()
  #scan: Promise<void> | null = null
  #scanAgainAt = 0
  #exited: WatchedAttempt[] = []
  #collected: number
  #sampler: NodeJS.Timeout | null = null
  #sampleAt = Number.POSITIVE_INFINITY
  #reportedAt = 0
  #closed = false
  #cgroups: Cgroups | null = null
  #cgroupsAskedAt = Number.NEGATIVE_INFINITY

  constructor(options: {
    readonly table: ProcessTable
    readonly journal: ProcessJournal
    readonly reply: (reply: SupervisorReply) => void
    /** Processes that are never part of a family: the supervisor and its runner. */
    readonly excluded: ReadonlySet<number>
  }) {
    this.#table = options.table
    this.#journal = options.journal
    this.#reply = options.reply
    this.#excluded = options.excluded
    this.#collected = options.table.collectedCpuSeconds() ?? 0
    this.#openCgroups()
  }

  start(request: SpawnRequest): void {
    try {
      this.#start(request)
    } catch (error) {
      this.#reply({ type: 'refused', id: request.id, ...spawnErrorOf(error as NodeJS.ErrnoException, request) })
    }
  }

  #start(request: SpawnRequest): void {
    if (this.#closed) return
    if (request.limits !== null) this.#openCgroups()
    this.#journal.open(request.marker)
    const files = openChildFiles(request)
    let child: ChildProcess
    try {
      failpoint('supervisor.spawn.before')
      child = spawn(request.file, request.args, {
        cwd: request.cwd,
        env: request.env,
        detached: true,
        stdio: [files.stdin, files.stdout, files.stderr],
      })
      failpoint('supervisor.spawn.after')
    } catch (error) {
      this.#journal.close(request.marker)
      throw error
    } finally {
      files.close()
    }
    const pid = child.pid
    if (pid === undefined) {
      child.once('error', (error) => {
        this.#journal.close(request.marker)
        this.#reply({ type: 'refused', id: request.id, ...spawnErrorOf(error as NodeJS.ErrnoException, request) })
      })
      return
    }
    const main = { pid, start: this.#table.find(pid)?.start ?? '' }
    const attempt = new WatchedAttempt(request, main, performance.now())
    this.#attempts.set(request.id, attempt)
    if (request.limits !== null) attempt.cgroup = this.#limit(pid, request.marker, request.limits)
    child.once('exit', (code, signal) => this.#onExit(attempt, code, signal))
    this.#journal.started(request.marker, main)
    this.#reply({ type: 'started', id: request.id, ...main })
    this.#sampleWithin(sampleDelay(0))
  }

  /**
   * Room can be made while nobody but us is in our group: so at the start, before there is any work, which from then on is
   * where we have moved to. A stranger who was there (a tool that the runner had just called) may have gone since.
   */
  #openCgroups(): void {
    const now = performance.now()
    if (this.#cgroups !== null || now - this.#cgroupsAskedAt < cgroupsAgainMs) return
    this.#cgroupsAskedAt = now
    this.#cgroups = Cgroups.open([...this.#excluded])
  }

  /** A control group with the process in it; null where the system has none for us. */
  #limit(pid: number, name: string, limits: ProcessLimits): Cgroup | null {
    const group = this.#cgroups?.create(name, limits) ?? null
    if (group === null || group.add([pid])) return group
    group.remove()
    return null
  }

  stop(id: number, graceMs: number): void {
    const attempt = this.#attempts.get(id)
    if (attempt === undefined || attempt.stopping) return
    attempt.stopping = true
    attempt.graceMs = graceMs
    this.#finish(attempt)
  }

  /** Ends everything; resolves when nothing is left, or what is left cannot be ended. */
  async endAll(graceMs: number): Promise<void> {
    this.#closed = true
    for (const id of [...this.#attempts.keys()]) this.stop(id, graceMs)
    while (this.#finishing.size > 0) await Promise.all(this.#finishing)
    if (this.#sampler !== null) clearTimeout(this.#sampler)
  }

  #onExit(attempt: WatchedAttempt, code: number | null, signal: string | null): void {
    attempt.exit = { code, signal, at: performance.now() }
    this.#reply({ type: 'exited', id: attempt.id, code, signal })
    // Several children may have been collected at once: their shares are told when all have reported.
    if (this.#exited.push(attempt) > 1) return
    setImmediate(() => {
      const ended = this.#exited
      this.#exited = []
      this.#shareCpu(ended)
      for (const one of ended) this.#finish(one)
    })
  }

  #shareCpu(ended: readonly WatchedAttempt[]): void {
    const collected = this.#table.collectedCpuSeconds()
    if (collected === null) return
    const shares = shareCollectedCpu(
      collected - this.#collected,
      ended.map((one) => ({ seenSeconds: one.meter.mainCpuSeconds, unseenMs: one.exit!.at - one.sampledAt })),
    )
    this.#collected = collected
    ended.forEach((one, index) => {
      one.meter.mainEnded(shares[index] ?? 0)
    })
  }

  #finish(attempt: WatchedAttempt): void {
    if (attempt.finishing) {
      attempt.wake()
      return
    }
    attempt.finishing = true
    const work = this.#endAttempt(attempt).finally(() => this.#finishing.delete(work))
    this.#finishing.add(work)
  }

  async #endAttempt(attempt: WatchedAttempt): Promise<void> {
    const lingerUntil = performance.now() + attempt.lingerMs
    let leftovers = 0
    if (attempt.exit !== null) {
      let alive = await this.#aliveOf(attempt)
      for (let wait = 10; alive.length > 0; wait = Math.min(wait * 2, 100)) {
        const left = lingerUntil - performance.now()
        if (left <= 0 || attempt.stopping) break
        await attempt.pause(Math.min(wait, left))
        alive = await this.#aliveOf(attempt)
      }
      leftovers = alive.length
    }
    const over = attempt.exit !== null && leftovers === 0
    const unended = over ? [] : await this.#endFamily(attempt)
    if (unended.length === 0) {
      // Nothing is alive, so the exit of the main process is known at once.
      while (attempt.exit === null) await attempt.pause(1_000)
      this.#journal.close(attempt.marker)
    }
    const counted = attempt.cgroup?.usage() ?? null
    if (unended.length === 0) attempt.cgroup?.remove()
    this.#attempts.delete(attempt.id)
    this.#reply({
      type: 'gone',
      id: attempt.id,
      code: attempt.exit?.code ?? null,
      signal: attempt.exit?.signal ?? null,
      cpuSeconds: counted?.cpuSeconds ?? attempt.meter.cpuSeconds,
      maxRssBytes: counted?.maxMemoryBytes ?? attempt.meter.maxRssBytes,
      networkBytes: attempt.network.bytes,
      wallSeconds: ((attempt.exit?.at ?? performance.now()) - attempt.startedAt) / 1_000,
      leftovers,
      survivors: unended.length,
      breach: attempt.breach ?? counted?.breach ?? null,
    })
  }

  #endFamily(attempt: WatchedAttempt): Promise<readonly ProcessEntry[]> {
    return endFamily({
      alive: () => this.#aliveOf(attempt),
      group: attempt.main.pid,
      table: this.#table,
      pause: (ms) => attempt.pause(ms),
      monotonic: () => performance.now(),
      graceMs: attempt.graceMs,
    })
  }

  async #aliveOf(attempt: WatchedAttempt): Promise<readonly ProcessEntry[]> {
    await this.#scanSoon()
    return attempt.alive
  }

  /** One reading of the process table serves all who ask in the same turn; reading takes half of our time at most. */
  #scanSoon(): Promise<void> {
    this.#scan ??= new Promise((resolve) => {
      const run = () => {
        this.#scan = null
        const from = performance.now()
        this.#scanNow()
        const to = performance.now()
        this.#scanAgainAt = to + (to - from)
        resolve()
      }
      const wait = this.#scanAgainAt - performance.now()
      if (wait > 1) setTimeout(run, wait)
      else setImmediate(run)
    })
    return this.#scan
  }

  #scanNow(): void {
    const entries = this.#table.list(this.#foreign)
    const families = findFamilies(entries, this.#attempts.values(), (entry) => this.#markerOf(entry), this.#excluded)
    const now = performance.now()
    const owned = new Set<number>()
    for (const [attempt, family] of families) {
      attempt.see(family, now)
      for (const entry of family) owned.add(entry.pid)
    }
    this.#foreign.settle(owned)
    for (const pid of this.#markers.keys()) if (!owned.has(pid)) this.#markers.delete(pid)
  }

  #markerOf(entry: ProcessEntry): string {
    const cached = this.#markers.get(entry.pid)
    if (cached?.start === entry.start) return cached.marker
    const marker = this.#table.markerOf(entry.pid)
    if (marker !== '') this.#markers.set(entry.pid, { start: entry.start, marker })
    return marker
  }

  #sampleWithin(ms: number): void {
    const at = performance.now() + ms
    if (this.#sampler !== null && this.#sampleAt <= at) return
    if (this.#sampler !== null) clearTimeout(this.#sampler)
    this.#sampleAt = at
    this.#sampler = setTimeout(() => void this.#sample(), ms)
  }

  #checkLimits(attempt: WatchedAttempt, now: number): void {
    if (attempt.finishing) return
    const breach = attempt.checkLimits(now)
    if (breach === null) return
    attempt.breach = breach
    // Memory does not wait for good manners.
    this.stop(attempt.id, breach.resource === 'memory' ? 0 : attempt.graceMs)
  }

  async #sample(): Promise<void> {
    await this.#scanSoon()
    this.#sampler = null
    if (this.#attempts.size === 0) return
    const attempts = [...this.#attempts.values()]
    const now = performance.now()
    for (const attempt of attempts) this.#checkLimits(attempt, now)
    const wait = sampleDelay(now - Math.max(...attempts.map((attempt) => attempt.startedAt)))
    this.#sampleWithin(attempts.some((attempt) => attempt.isLimited) ? Math.min(wait, limitedSampleMs) : wait)
    if (now - this.#reportedAt < reportSamplesEveryMs - 100) return
    this.#reportedAt = now
    const samples = attempts.map((attempt) => ({
      id: attempt.id,
      cpuSeconds: attempt.meter.cpuSeconds ?? 0,
      rssBytes: attempt.rssBytes,
    }))
    this.#reply({ type: 'samples', samples })
  }
}

/** Young processes are looked at more often, because most commands are short. */
function sampleDelay(youngestMs: number): number {
  if (youngestMs < 100) return 50
  return youngestMs < 1_000 ? 200 : 1_000
}
