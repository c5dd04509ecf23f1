import type { ForeignProcesses } from './foreign-processes.ts'

/** One process as the system lists it. Times in seconds, sizes in bytes. */
export interface ProcessEntry {
  readonly pid: number
  readonly parent: number
  readonly group: number
  readonly session: number
  /** Dead, but not yet collected by its parent. */
  readonly zombie: boolean
  /** Opaque; together with the pid it names a process for good, within one boot of the machine. */
  readonly start: string
  /** CPU time of the process and of the children it has collected. */
  readonly cpuSeconds: number
  readonly rssBytes: number
}

/** A way to see the processes of this machine. */
export interface ProcessTable {
  /** Every process, zombies included, but those that `foreign` knows. */
  list(foreign?: ForeignProcesses): ProcessEntry[]
  /** One process; null when there is none, or none any more. */
  find(pid: number): ProcessEntry | null
  /** The value of `LEANVIBE_ATTEMPT` in its environment; '' without one or where it cannot be read. */
  markerOf(pid: number): string
  /** CPU seconds of all children that this process has collected so far; null where the system does not tell. */
  collectedCpuSeconds(): number | null
}

/** The variable by which what escaped its process group is found again. Nested attempts are joined by colons. */
export const markerVariable = 'LEANVIBE_ATTEMPT'
