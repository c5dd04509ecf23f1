import { closeSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs'
import { endianness } from 'node:os'
import { markerVariable, type ProcessEntry, type ProcessTable } from './process-table.ts'

export function linuxProcessTable(): ProcessTable {
  const { ticks, pageBytes } = readKernelUnits()
  const buffer = Buffer.allocUnsafe(4_096)

  function find(pid: number): ProcessEntry | null {
    const stat = readSmallFile(`/proc/${pid}/stat`, buffer)
    return stat === null ? null : parseStat(pid, stat, ticks, pageBytes)
  }

  return {
    find,
    list(foreign) {
      const entries: ProcessEntry[] = []
      for (const name of readdirSync('/proc')) {
        const first = name.charCodeAt(0)
        if (first < 48 || first > 57) continue
        const pid = Number(name)
        const entry = foreign?.isKnown(pid) ? null : find(pid)
        if (entry !== null) entries.push(entry)
      }
      return entries
    },
    markerOf(pid) {
      return markerIn(readEnvironment(pid))
    },
    collectedCpuSeconds() {
      const stat = readSmallFile('/proc/self/stat', buffer)
      if (stat === null) return null
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      return (Number(fields[13]) + Number(fields[14])) / ticks
    },
  }
}

/** Fields as in proc_pid_stat(5). The name of the program may hold blanks and brackets, so fields are counted after the last one. */
export function parseStat(pid: number, stat: string, ticks: number, pageBytes: number): ProcessEntry {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const at = (index: number) => Number(fields[index])
  return {
    pid,
    parent: at(1),
    group: at(2),
    session: at(3),
    zombie: fields[0] === 'Z' || fields[0] === 'X',
    start: fields[19] ?? '',
    cpuSeconds: (at(11) + at(12) + at(13) + at(14)) / ticks,
    rssBytes: at(21) * pageBytes,
  }
}

/** The marker in an environment as the kernel keeps it: `NAME=value`, each ended by NUL. */
export function markerIn(environment: string): string {
  const wanted = `${markerVariable}=`
  const at = environment.startsWith(wanted) ? 0 : environment.indexOf(`\0${wanted}`) + 1
  if (at === 0 && !environment.startsWith(wanted)) return ''
  const end = environment.indexOf('\0', at)
  return environment.slice(at + wanted.length, end === -1 ? undefined : end)
}

function readEnvironment(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1')
  } catch {
    // It has ended, or belongs to somebody else: in neither case is it ours.
    return ''
  }
}

function readSmallFile(path: string, buffer: Buffer): string | null {
  let file: number
  try {
    file = openSync(path, 'r')
  } catch {
    return null
  }
  try {
    return buffer.toString('latin1', 0, readSync(file, buffer, 0, buffer.length, 0))
  } catch {
    // The process ended between the two calls (ESRCH).
    return null
  } finally {
    closeSync(file)
  }
}

/** AT_CLKTCK and AT_PAGESZ of the auxiliary vector: what sysconf(3) would answer. */
function readKernelUnits(): { ticks: number; pageBytes: number } {
  const units = { ticks: 100, pageBytes: 4_096 }
  const vector = readFileSync('/proc/self/auxv')
  const word = (at: number) => Number(endianness() === 'LE' ? vector.readBigUInt64LE(at) : vector.readBigUInt64BE(at))
  for (let at = 0; at + 16 <= vector.length; at += 16) {
    if (word(at) === 17) units.ticks = word(at + 8)
    if (word(at) === 6) units.pageBytes = word(at + 8)
  }
  return units
}
