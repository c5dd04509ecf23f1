import { statfs } from 'node:fs/promises'
import { availableParallelism, cpus, freemem, loadavg, totalmem } from 'node:os'
import { type Clock, systemClock } from '../../foundation/kernel/clock.ts'
import { type MemoryFigures, readCgroupMemory } from './cgroup-memory.ts'
import type { Monitor } from './monitor-contract.ts'

export type HostFigures = Monitor['host']

/** Milliseconds that all cores together have spent, since the host started. */
export interface CpuTimes {
  readonly busy: number
  readonly all: number
}

/** What the operating system tells; a parameter for tests. */
export interface HostSource {
  cpu(): CpuTimes
  cores(): number
  load(): readonly [number, number, number]
  memory(): MemoryFigures
  /** The limit of the control group we run in; null: none. */
  memoryLimit(): Promise<MemoryFigures | null>
  /** Null where it cannot be told. */
  disk(folder: string): Promise<{ readonly usedBytes: number; readonly totalBytes: number } | null>
}

/** Shorter samples say more about chance than about the host. */
const shortestSampleMs = 100

/** The figures of the host. The share of the CPU is that since the call before. */
export class HostSampler {
  readonly #source: HostSource
  readonly #clock: Clock
  readonly #folder: string
  #times: CpuTimes
  #sampledAt: number
  #cpu: number | null = null

  constructor(folder: string, source: HostSource = systemHost, clock: Clock = systemClock) {
    this.#folder = folder
    this.#source = source
    this.#clock = clock
    this.#times = source.cpu()
    this.#sampledAt = clock.monotonic()
  }

  async read(): Promise<HostFigures> {
    const source = this.#source
    const [limit, disk] = await Promise.all([source.memoryLimit(), source.disk(this.#folder)])
    const host = source.memory()
    const load = source.load()
    return {
      cpu: this.#sampleCpu(),
      cores: source.cores(),
      // Where the system keeps no load average, it says zero three times.
      load: load.every((value) => value === 0) ? null : [...load],
      memory: limit !== null && limit.totalBytes < host.totalBytes ? limit : host,
      disk,
    }
  }

  #sampleCpu(): number | null {
    const now = this.#clock.monotonic()
    if (now - this.#sampledAt < shortestSampleMs) return this.#cpu
    const times = this.#source.cpu()
    const all = times.all - this.#times.all
    if (all > 0) this.#cpu = Math.min(1, Math.max(0, (times.busy - this.#times.busy) / all))
    this.#times = times
    this.#sampledAt = now
    return this.#cpu
  }
}

export const systemHost: HostSource = {
  cpu() {
    let all = 0
    let idle = 0
    for (const { times } of cpus()) {
      all += times.user + times.nice + times.sys + times.idle + times.irq
      idle += times.idle
    }
    return { busy: all - idle, all }
  },
  cores: () => cpus().length || availableParallelism(),
  load: () => loadavg() as [number, number, number],
  memory: () => ({ usedBytes: totalmem() - freemem(), totalBytes: totalmem() }),
  memoryLimit: () => readCgroupMemory(),
  async disk(folder) {
    try {
      const { blocks, bavail, bsize } = await statfs(folder)
      return { usedBytes: (blocks - bavail) * bsize, totalBytes: blocks * bsize }
    } catch {
      // The folder may not be there yet; what cannot be told is null.
      return null
    }
  },
}
