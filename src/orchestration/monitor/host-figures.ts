import { statfs } from 'node:fs/promises'
import { availableParallelism, cpus, freemem, loadavg, totalmem } from 'node:os'
import { type Clock, systemClock } from '../../foundation/kernel/clock.ts'
import { type CpuQuota, readCgroupCpu } from './cgroup-cpu.ts'
import { type MemoryFigures, readCgroupMemory } from './cgroup-memory.ts'
import { type NetworkCounters, readNetwork } from './host-network.ts'
import type { HostFigures } from './monitor-contract.ts'

export type { HostFigures }

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
  /** The quota of processor time of the control group we run in; null: none. */
  cpuQuota(): Promise<CpuQuota | null>
  /** Null where it cannot be told. */
  network(): Promise<NetworkCounters | null>
}

/** Shorter samples say more about chance than about the host. */
const shortestSampleMs = 100

/** The figures of the host. The share of the CPU and the rate of the network are those since the call before, or since it was made. */
export class HostSampler {
  readonly #source: HostSource
  readonly #clock: Clock
  readonly #folder: string
  #times: CpuTimes
  #sampledAt: number
  #cpu: number | null = null
  #byQuota = false
  /** Counted when it was made. */
  readonly #atFirst: Promise<unknown>
  #network: { readonly bytes: number; readonly at: number } | null = null
  #rate: number | null = null

  constructor(folder: string, source: HostSource = systemHost, clock: Clock = systemClock) {
    this.#folder = folder
    this.#source = source
    this.#clock = clock
    this.#times = source.cpu()
    this.#sampledAt = clock.monotonic()
    const at = this.#sampledAt
    this.#atFirst = source.network().then((first) => {
      if (first !== null) this.#network = { bytes: first.bytes, at }
    })
  }

  async read(): Promise<HostFigures> {
    const source = this.#source
    const [limit, quota, disk, counters] = await Promise.all([
      source.memoryLimit(),
      source.cpuQuota(),
      source.disk(this.#folder),
      this.#atFirst.then(() => source.network()),
    ])
    const host = source.memory()
    const load = source.load()
    const bound = quota !== null && quota.cores < source.cores() ? quota : null
    const cpu = this.#sampleCpu(bound)
    const memory = limit !== null && limit.totalBytes < host.totalBytes ? limit : host
    const network =
      counters === null ? null : { bytesPerSecond: this.#sampleNetwork(counters), capacity: counters.capacity }
    return {
      cpu,
      cores: bound?.cores ?? source.cores(),
      // Where the system keeps no load average, it says zero three times.
      load: load.every((value) => value === 0) ? null : [...load],
      memory,
      disk,
      network,
      utilisation: {
        cpu,
        memory: shareOf(memory.usedBytes, memory.totalBytes),
        disk: disk === null ? null : shareOf(disk.usedBytes, disk.totalBytes),
        network: shareOf(network?.bytesPerSecond ?? null, network?.capacity ?? null),
      },
    }
  }

  #sampleNetwork({ bytes }: NetworkCounters): number | null {
    const at = this.#clock.monotonic()
    const before = this.#network
    if (before !== null && at - before.at < shortestSampleMs) return this.#rate
    // An interface may have gone meanwhile, and its count with it.
    if (before !== null) this.#rate = Math.max(0, bytes - before.bytes) / ((at - before.at) / 1_000)
    this.#network = { bytes, at }
    return this.#rate
  }

  /** Of the quota where there is one: how busy the rest of the host is does not tell what we may still use. */
  #sampleCpu(quota: CpuQuota | null): number | null {
    const now = this.#clock.monotonic()
    if (now - this.#sampledAt < shortestSampleMs) return this.#cpu
    const times =
      quota === null
        ? this.#source.cpu()
        : { busy: quota.usedSeconds * 1_000, all: this.#times.all + (now - this.#sampledAt) * quota.cores }
    const isFirstOfQuota = quota !== null && !this.#byQuota
    this.#byQuota = quota !== null
    const all = times.all - this.#times.all
    if (all > 0 && !isFirstOfQuota) this.#cpu = shareOf(times.busy - this.#times.busy, all)
    this.#times = times
    this.#sampledAt = now
    return this.#cpu
  }
}

function shareOf(used: number | null, total: number | null): number | null {
  return used === null || total === null || total <= 0 ? null : Math.min(1, Math.max(0, used / total))
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
  cpuQuota: () => readCgroupCpu(),
  network: () => readNetwork(),
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
