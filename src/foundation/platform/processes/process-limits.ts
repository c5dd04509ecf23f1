/** What a command and all it starts may use at most. What is absent is not limited. */
export interface ProcessLimits {
  readonly cpuCores?: number
  readonly memoryBytes?: number
}

/** A limit that was passed. Amounts in cores or bytes. */
export interface LimitBreach {
  readonly resource: 'cpu' | 'memory' | 'disk'
  readonly used: number
  readonly limit: number
}

/** More cores than allowed must have been used for this long: less says more about the moment than about the work. */
const cpuWindowMs = 5_000
/** The clock of the kernel that counts CPU time is coarse. */
const cpuSlack = 1.1

/**
 * Watches samples of a process tree where the kernel does not keep to the limits for us. Memory is the sum of what is
 * resident, in which pages that several processes share count for each.
 */
export class LimitWatch {
  readonly #limits: ProcessLimits
  #samples: { readonly at: number; readonly cpuSeconds: number }[] = []

  constructor(limits: ProcessLimits) {
    this.#limits = limits
  }

  /** `at` in monotonic milliseconds. */
  sample(at: number, cpuSeconds: number, rssBytes: number): LimitBreach | null {
    const { cpuCores, memoryBytes } = this.#limits
    if (memoryBytes !== undefined && rssBytes > memoryBytes)
      return { resource: 'memory', used: rssBytes, limit: memoryBytes }
    if (cpuCores === undefined) return null
    this.#samples.push({ at, cpuSeconds })
    // The newest of those that are a whole window old.
    while (this.#samples.length > 2 && at - this.#samples[1]!.at >= cpuWindowMs) this.#samples.shift()
    const first = this.#samples[0]!
    const seconds = (at - first.at) / 1_000
    if (seconds * 1_000 < cpuWindowMs) return null
    const used = (cpuSeconds - first.cpuSeconds) / seconds
    return used > cpuCores * cpuSlack ? { resource: 'cpu', used, limit: cpuCores } : null
  }
}
