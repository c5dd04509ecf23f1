import { existsSync, readFileSync, readlinkSync } from 'node:fs'
import { hostname, platform } from 'node:os'
import { linuxProcessTable } from './linux-process-table.ts'
import type { ProcessTable } from './process-table.ts'
import { psProcessTable } from './ps-process-table.ts'

export function systemProcessTable(): ProcessTable {
  return platform() === 'linux' && existsSync('/proc/self/stat') ? linuxProcessTable() : psProcessTable()
}

/**
 * Where pids have a meaning: this boot of this machine, and this process namespace. What was written down in another one
 * names no process here. (The processes of a container that was started anew ended with the old one.)
 */
export function processScope(): string {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()
    return `${boot} ${readlinkSync('/proc/self/ns/pid')}`
  } catch {
    // Elsewhere the start time of a process is a calendar time and tells by itself.
    return hostname()
  }
}
