import type { ProcessEntry } from './process-table.ts'

/** What a process and everything it started used. */
export interface ProcessUsage {
  /** User and system time, the children that were collected included; null where the system does not tell. */
  readonly cpuSeconds: number | null
  /** Largest sum of resident memory that was sampled; null when the process ended before the first sample. */
  readonly maxRssBytes: number | null
  readonly wallSeconds: number
  /** Received and sent; absent where it had no network of its own, by which alone it can be told. */
  readonly networkBytes?: number
}

/**
 * Adds up samples of one process tree. CPU time moves to the parent when it collects a child, so the sum over living
 * processes only falls when somebody else collects one: that share is kept in `#orphaned`.
 */
export class UsageMeter {
  readonly #mainPid: number
  #last = new Map<number, ProcessEntry>()
  #main = 0
  #orphaned = 0
  #best: number | null = null
  #maxRss: number | null = null

  constructor(mainPid: number) {
    this.#mainPid = mainPid
  }

  /** Takes the living processes of the tree, as just read. */
  sample(alive: readonly ProcessEntry[]): void {
    const present = new Map(alive.map((entry) => [entry.pid, entry]))
    for (const [pid, before] of this.#last) {
      if (pid === this.#mainPid || present.get(pid)?.start === before.start) continue
      if (!this.#last.has(before.parent)) this.#orphaned += before.cpuSeconds
    }
    this.#last = present
    let cpu = this.#orphaned + (present.has(this.#mainPid) ? 0 : this.#main)
    let rss = 0
    for (const entry of alive) {
      cpu += entry.cpuSeconds
      rss += entry.rssBytes
      if (entry.pid === this.#mainPid) this.#main = entry.cpuSeconds
    }
    this.#best = Math.max(this.#best ?? 0, cpu)
    if (rss > 0) this.#maxRss = Math.max(this.#maxRss ?? 0, rss)
  }

  /** The main process has been collected; `cpuSeconds` is what it and its own children used in all. */
  mainEnded(cpuSeconds: number): void {
    this.#main = Math.max(this.#main, cpuSeconds)
    this.#last.delete(this.#mainPid)
    let living = 0
    for (const entry of this.#last.values()) living += entry.cpuSeconds
    this.#best = Math.max(this.#best ?? 0, this.#main + this.#orphaned + living)
  }

  /** CPU of the main process at the last sample: a lower bound for its share at the end. */
  get mainCpuSeconds(): number {
    return this.#main
  }

  get cpuSeconds(): number | null {
    return this.#best
  }

  get maxRssBytes(): number | null {
    return this.#maxRss
  }
}

/**
 * Shares out the CPU time by which the total of collected children grew among the children that ended meanwhile: each
 * gets what was last seen of it, and the rest in proportion to the time since. The shares add up to the growth.
 */
export function shareCollectedCpu(
  growth: number,
  ended: readonly { readonly seenSeconds: number; readonly unseenMs: number }[],
): number[] {
  const seen = ended.reduce((total, one) => total + one.seenSeconds, 0)
  const unseen = ended.reduce((total, one) => total + one.unseenMs, 0)
  const rest = Math.max(0, growth - seen)
  return ended.map((one) => one.seenSeconds + rest * (unseen > 0 ? one.unseenMs / unseen : 1 / ended.length))
}
