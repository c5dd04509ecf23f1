import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { LimitBreach, ProcessLimits } from './process-limits.ts'

/** What a control group counted, to its end. Null: not counted by this kernel. */
export interface CgroupUsage {
  readonly cpuSeconds: number | null
  readonly maxMemoryBytes: number | null
  readonly breach: LimitBreach | null
}

const periodUs = 100_000

/**
 * Control groups (version 2) below the one that we are in, where we may make some: as root, or where systemd delegates
 * (`Delegate=yes`). The kernel then keeps work to its limits: CPU is throttled, memory ends it.
 */
export class Cgroups {
  readonly #base: string

  private constructor(base: string) {
    this.#base = base
  }

  /**
   * Null where there are none, or none for us. `own` are the processes that may be moved to make room: a group with
   * processes in it cannot limit its children. `root` is for tests.
   */
  static open(own: readonly number[], root = '/'): Cgroups | null {
    try {
      const base = findBase(root)
      if (base === null) return null
      const controllers = read(join(base, 'cgroup.controllers')).split(/\s+/)
      if (!controllers.includes('cpu') || !controllers.includes('memory')) return null
      const enabled = read(join(base, 'cgroup.subtree_control')).split(/\s+/)
      if (!enabled.includes('cpu') || !enabled.includes('memory')) {
        const inside = read(join(base, 'cgroup.procs')).split('\n').filter(Boolean).map(Number)
        if (inside.some((pid) => !own.includes(pid))) return null
        if (inside.length > 0) moveTo(join(base, 'leanvibe'), inside)
        writeFileSync(join(base, 'cgroup.subtree_control'), '+cpu +memory')
      }
      // What a supervisor left that was killed. Groups that are in use cannot be removed.
      for (const name of readdirSync(base)) if (name.startsWith('leanvibe-')) removeFolder(join(base, name))
      return new Cgroups(base)
    } catch {
      // Read-only, not ours, or no such thing on this system: the watch does what it can instead.
      return null
    }
  }

  /** A group with these limits, empty; null where the system refuses it. */
  create(name: string, limits: ProcessLimits): Cgroup | null {
    const folder = join(this.#base, `leanvibe-${name}`)
    try {
      mkdirSync(folder)
    } catch {
      // There is one of this name, or no more can be made.
      return null
    }
    try {
      if (limits.memoryBytes !== undefined) {
        writeFileSync(join(folder, 'memory.max'), String(Math.floor(limits.memoryBytes)))
        // All of it ends, not the one process that happened to ask last.
        writeFileSync(join(folder, 'memory.oom.group'), '1')
        writeIfThere(join(folder, 'memory.swap.max'), '0')
      }
      if (limits.cpuCores !== undefined)
        writeFileSync(join(folder, 'cpu.max'), `${Math.max(1_000, Math.round(limits.cpuCores * periodUs))} ${periodUs}`)
      return new Cgroup(folder, limits)
    } catch {
      removeFolder(folder)
      return null
    }
  }
}

/** One group, for one attempt. */
export class Cgroup {
  readonly #folder: string
  readonly #limits: ProcessLimits
  readonly #members = new Set<number>()

  constructor(folder: string, limits: ProcessLimits) {
    this.#folder = folder
    this.#limits = limits
  }

  /** Processes that it does not know yet; what they start later is in the group by itself. False: the system refuses. */
  add(pids: readonly number[]): boolean {
    for (const pid of pids) {
      if (this.#members.has(pid)) continue
      try {
        writeFileSync(join(this.#folder, 'cgroup.procs'), String(pid))
      } catch (error) {
        // ESRCH: it has ended meanwhile.
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') return false
      }
      this.#members.add(pid)
    }
    return true
  }

  /** What was used, and whether the kernel ended it. */
  usage(): CgroupUsage {
    const micro = /^usage_usec (\d+)$/m.exec(readOr(join(this.#folder, 'cpu.stat'), ''))?.[1]
    const peak = Number.parseInt(readOr(join(this.#folder, 'memory.peak'), ''), 10)
    const kills = Number(/^oom_kill (\d+)$/m.exec(readOr(join(this.#folder, 'memory.events'), ''))?.[1] ?? 0)
    const limit = this.#limits.memoryBytes
    return {
      cpuSeconds: micro === undefined ? null : Number(micro) / 1_000_000,
      maxMemoryBytes: Number.isNaN(peak) ? null : peak,
      breach: kills > 0 && limit !== undefined ? { resource: 'memory', used: limit, limit } : null,
    }
  }

  /** Once all its processes have ended. */
  remove(): void {
    removeFolder(this.#folder)
  }
}

/** The folder of the group that we are in; null where version 2 is not mounted. */
function findBase(root: string): string | null {
  const own = /^0::(\/.*)$/m.exec(read(join(root, 'proc/self/cgroup')))?.[1]
  if (own === undefined) return null
  for (const line of read(join(root, 'proc/self/mountinfo')).split('\n')) {
    // 36 35 98:0 /mount/root /mount/point options - type source options
    const [left = '', right = ''] = line.split(' - ')
    if (!right.startsWith('cgroup2 ')) continue
    const [, , , mountRoot = '/', mountPoint = ''] = left.split(' ')
    const below = mountRoot !== '/' && own.startsWith(mountRoot) ? own.slice(mountRoot.length) : own
    return join(root, mountPoint, below)
  }
  return null
}

function moveTo(folder: string, pids: readonly number[]): void {
  mkdirSync(folder, { recursive: true })
  for (const pid of pids) writeFileSync(join(folder, 'cgroup.procs'), String(pid))
}

function read(path: string): string {
  return readFileSync(path, 'utf8')
}

function readOr(path: string, otherwise: string): string {
  try {
    return read(path)
  } catch {
    // Older kernels do not count everything.
    return otherwise
  }
}

function writeIfThere(path: string, text: string): void {
  try {
    writeFileSync(path, text)
  } catch {
    // Kernels without swap accounting have no such file, and nothing to limit.
  }
}

function removeFolder(folder: string): void {
  try {
    rmdirSync(folder)
  } catch {
    // It was never made, or something in it lives on: that is reported as a survivor.
  }
}
