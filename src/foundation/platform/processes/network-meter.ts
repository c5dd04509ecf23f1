import { readFileSync, readlinkSync } from 'node:fs'

/** Where the kernel tells of a process: a parameter for tests. */
export interface NetworkSource {
  /** Names the network that a process lives in; null: it has ended, or is not ours to look at. */
  networkOf(pid: number | 'self'): string | null
  /** Bytes received and sent on all links of that network but its loopback; null likewise. */
  bytesOf(pid: number): number | null
}

/**
 * Counts what a process tree carries over the network, where that can be told: in a network of its own. The kernel counts by
 * network and not by process, so that of work in the network of the host nothing is known. What is carried after the last
 * sample of a network is not seen.
 */
export class NetworkMeter {
  readonly #source: NetworkSource
  readonly #ours: string | null
  readonly #networks = new Map<number, { readonly start: string; readonly network: string | null }>()
  /** Of each network of its own, the bytes at the last sample: it began with none. */
  readonly #bytes = new Map<string, number>()

  constructor(source: NetworkSource = linuxNetworks) {
    this.#source = source
    this.#ours = source.networkOf('self')
  }

  /** Takes the living processes of the tree. */
  sample(alive: readonly { readonly pid: number; readonly start: string }[]): void {
    if (this.#ours === null) return
    const seen = new Set<string>()
    for (const { pid, start } of alive) {
      const known = this.#networks.get(pid)
      // A process moves to another network soon after it began, if ever: only the last answer of a young one may change.
      const settled: string | null = known?.start === start && known.network !== this.#ours ? known.network : null
      const network: string | null = settled ?? this.#source.networkOf(pid)
      this.#networks.set(pid, { start, network })
      if (network === null || seen.has(network)) continue
      seen.add(network)
      if (network !== this.#ours) this.#count(network, pid)
    }
    for (const pid of this.#networks.keys()) if (!alive.some((entry) => entry.pid === pid)) this.#networks.delete(pid)
  }

  #count(network: string, pid: number): void {
    const bytes = this.#source.bytesOf(pid)
    if (bytes === null) return
    this.#bytes.set(network, Math.max(bytes, this.#bytes.get(network) ?? 0))
  }

  /**
   * Bytes received and sent so far; null where nothing lived in a network of its own. Programs that set such a network up
   * live in ours themselves, so that what a part of the tree carries there does not make the rest unknown.
   */
  get bytes(): number | null {
    return this.#bytes.size === 0 ? null : [...this.#bytes.values()].reduce((sum, bytes) => sum + bytes, 0)
  }
}

export const linuxNetworks: NetworkSource = {
  networkOf(pid) {
    try {
      return readlinkSync(`/proc/${pid}/ns/net`)
    } catch {
      // It has ended, is of another user, or this is not Linux.
      return null
    }
  },
  bytesOf(pid) {
    try {
      return bytesIn(readFileSync(`/proc/${pid}/net/dev`, 'latin1'))
    } catch {
      return null // as above
    }
  },
}

/** Sums up a table as in proc_net(5): name, then received and sent, eight columns each. */
export function bytesIn(table: string): number {
  return table
    .split('\n')
    .slice(2)
    .reduce((sum, line) => {
      const colon = line.indexOf(':')
      if (colon < 0 || line.slice(0, colon).trim() === 'lo') return sum
      const fields = line
        .slice(colon + 1)
        .trim()
        .split(/\s+/)
      return sum + (Number(fields[0]) || 0) + (Number(fields[8]) || 0)
    }, 0)
}
