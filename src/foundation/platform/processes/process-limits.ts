/** What a command and all it starts may use at most. What is absent is not limited. */
export interface ProcessLimits {
  readonly cpuCores?: number
  readonly memoryBytes?: number
  /** Received and sent, a second. Kept only where it can be measured: in a network of its own. */
  readonly networkBytesPerSecond?: number
}

/** A limit that was passed. Amounts in cores, bytes, or bytes a second. */
export interface LimitBreach {
  readonly resource: 'cpu' | 'memory' | 'disk' | 'network'
  readonly used: number
  readonly limit: number
}

/** More than allowed must have been used for this long: less says more about the moment than about the work. */
const windowMs = 5_000
/** The clock of the kernel that counts CPU time is coarse, and so are our looks. */
const slack = 1.1

/** What a process tree has used so far; null: it cannot be told. */
export interface UsedSoFar {
  readonly cpuSeconds: number
  readonly rssBytes: number
  readonly networkBytes: number | null
}

/**
 * Watches samples of a process tree where the kernel does not keep to the limits for us. Memory is the sum of what is
 * resident, in which pages that several processes share count for each.
 */
export class LimitWatch {
  readonly #limits: ProcessLimits
  readonly #cpu = new RateWindow()
  readonly #network = new RateWindow()

  constructor(limits: ProcessLimits) {
    this.#limits = limits
  }

  /** `at` in monotonic milliseconds. */
  sample(at: number, { cpuSeconds, rssBytes, networkBytes }: UsedSoFar): LimitBreach | null {
    const { cpuCores, memoryBytes } = this.#limits
    if (memoryBytes !== undefined && rssBytes > memoryBytes)
      return { resource: 'memory', used: rssBytes, limit: memoryBytes }
    if (cpuCores !== undefined) {
      const used = this.#cpu.add(at, cpuSeconds)
      if (used !== null && used > cpuCores * slack) return { resource: 'cpu', used, limit: cpuCores }
    }
    return this.sampleNetwork(at, networkBytes)
  }

  /** Of the network alone: no kernel keeps to that limit for us. */
  sampleNetwork(at: number, networkBytes: number | null): LimitBreach | null {
    const limit = this.#limits.networkBytesPerSecond
    if (limit === undefined || networkBytes === null) return null
    const used = this.#network.add(at, networkBytes)
    return used !== null && used > limit * slack ? { resource: 'network', used, limit } : null
  }
}

/** The rate at which a count has grown over the last window. */
class RateWindow {
  #samples: { readonly at: number; readonly count: number }[] = []

  /** A second; null before a whole window has passed. */
  add(at: number, count: number): number | null {
    this.#samples.push({ at, count })
    // The newest of those that are a whole window old.
    while (this.#samples.length > 2 && at - this.#samples[1]!.at >= windowMs) this.#samples.shift()
    const first = this.#samples[0]!
    return at - first.at < windowMs ? null : ((count - first.count) * 1_000) / (at - first.at)
  }
}
