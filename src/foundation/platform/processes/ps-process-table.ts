import { spawnSync } from 'node:child_process'
import { markerVariable, type ProcessEntry, type ProcessTable } from './process-table.ts'

const columns = 'pid=,ppid=,pgid=,sess=,state=,rss=,time=,lstart='

/**
 * Where there is no /proc (macOS, the BSDs): the same facts from ps(1). Start times have a resolution of a second, CPU
 * time of the children that were collected is missing, and a list costs some milliseconds.
 */
export function psProcessTable(): ProcessTable {
  const ps = (args: readonly string[]) =>
    spawnSync('/bin/ps', args, { encoding: 'latin1', env: { LC_ALL: 'C' }, maxBuffer: 64 * 1_048_576 }).stdout ?? ''
  return {
    list: () => ps(['-A', '-o', columns]).split('\n').flatMap(parsePsLine),
    find: (pid) =>
      ps(['-p', String(pid), '-o', columns])
        .split('\n')
        .flatMap(parsePsLine)[0] ?? null,
    markerOf(pid) {
      const line = ps(['eww', '-p', String(pid), '-o', 'command='])
      return new RegExp(`(?:^|\\s)${markerVariable}=(\\S*)`).exec(line)?.[1] ?? ''
    },
    collectedCpuSeconds: () => null,
  }
}

/** `  501     1   501      0 Ss    1234   0:01.50 Mon Jan  5 10:00:00 2026` */
export function parsePsLine(line: string): ProcessEntry[] {
  const match = /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(\S+)\s+(\S+)\s+(\d+)\s+([\d:.-]+)\s+(.+?)\s*$/.exec(line)
  if (match === null) return []
  const [, pid, parent, group, session, state, rss, time, start] = match as unknown as string[]
  return [
    {
      pid: Number(pid),
      parent: Number(parent),
      group: Number(group),
      // macOS prints an address or 0; the group stands in for it.
      session: Number(session) > 0 ? Number(session) : Number(group),
      zombie: state!.startsWith('Z'),
      start: start!,
      cpuSeconds: secondsOf(time!),
      rssBytes: Number(rss) * 1_024,
    },
  ]
}

/** `[[days-]hours:]minutes:seconds[.fraction]` */
function secondsOf(time: string): number {
  const [days, clock] = time.includes('-') ? time.split('-') : ['0', time]
  const parts = (clock ?? '').split(':').map(Number)
  return Number(days) * 86_400 + parts.reduce((total, part) => total * 60 + part, 0)
}
