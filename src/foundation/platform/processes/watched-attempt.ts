import type { Cgroup } from './cgroup-v2.ts'
import type { FamilyTarget } from './find-families.ts'
import { NetworkMeter } from './network-meter.ts'
import { type LimitBreach, LimitWatch } from './process-limits.ts'
import type { ProcessEntry } from './process-table.ts'
import { UsageMeter } from './process-usage.ts'
import type { SpawnRequest } from './supervisor-protocol.ts'

/** One started command inside the supervisor. */
export class WatchedAttempt implements FamilyTarget {
  readonly id: number
  readonly marker: string
  readonly main: { readonly pid: number; readonly start: string }
  readonly lingerMs: number
  readonly startedAt: number
  /** Every process ever seen in the family, so that one which cuts all ties is still known. */
  readonly known = new Map<number, string>()
  readonly meter: UsageMeter
  readonly network = new NetworkMeter()
  graceMs: number
  exit: { readonly code: number | null; readonly signal: string | null; readonly at: number } | null = null
  stopping = false
  finishing = false
  sampledAt: number
  /** The kernel keeps it to its limits; null: we look. */
  cgroup: Cgroup | null = null
  breach: LimitBreach | null = null
  readonly #watch: LimitWatch | null
  #alive: readonly ProcessEntry[] = []
  #wake: (() => void) | null = null

  constructor(request: SpawnRequest, main: { readonly pid: number; readonly start: string }, now: number) {
    this.id = request.id
    this.marker = request.marker
    this.main = main
    this.lingerMs = request.lingerMs
    this.graceMs = request.graceMs
    this.startedAt = now
    this.sampledAt = now
    this.meter = new UsageMeter(main.pid)
    this.#watch = request.limits === null ? null : new LimitWatch(request.limits)
  }

  /** Takes the family as just read. */
  see(family: readonly ProcessEntry[], now: number): void {
    this.#alive = family.filter((entry) => !entry.zombie)
    this.known.clear()
    for (const entry of this.#alive) this.known.set(entry.pid, entry.start)
    this.meter.sample(this.#alive)
    this.network.sample(this.#alive)
    this.sampledAt = now
  }

  get isLimited(): boolean {
    return this.#watch !== null
  }

  /** Puts what is new of the family under the limits of the kernel, or looks whether it has passed them. Null: all is well. */
  checkLimits(now: number): LimitBreach | null {
    if (this.#watch === null) return null
    if (this.cgroup !== null && !this.cgroup.add(this.#alive.map((entry) => entry.pid))) this.cgroup = null
    const networkBytes = this.network.bytes
    // The kernel throttles and ends by itself, but for the network.
    if (this.cgroup !== null) return this.#watch.sampleNetwork(now, networkBytes)
    return this.#watch.sample(now, { cpuSeconds: this.meter.cpuSeconds ?? 0, rssBytes: this.rssBytes, networkBytes })
  }

  get alive(): readonly ProcessEntry[] {
    return this.#alive
  }

  get rssBytes(): number {
    return this.#alive.reduce((total, entry) => total + entry.rssBytes, 0)
  }

  /** Waits until something happens to the attempt, at most `ms`. */
  pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  wake(): void {
    this.#wake?.()
    this.#wake = null
  }
}
