import { existsSync, readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { endFamily } from './end-family.ts'
import { type FamilyTarget, findFamilies } from './find-families.ts'
import { type ProcessName, readJournal } from './process-journal.ts'
import type { ProcessEntry, ProcessTable } from './process-table.ts'
import { processScope, systemProcessTable } from './system-process-table.ts'

export interface SweepReport {
  /** Attempts whose processes were found and ended. */
  readonly ended: readonly { readonly marker: string; readonly processes: number }[]
  /** Processes that could not be ended: what they may touch must not be used. */
  readonly survivors: readonly { readonly marker: string; readonly pid: number }[]
  /** Attempts that belong to a runner which is alive; they were left alone. */
  readonly live: readonly string[]
}

const graceMs = 1_000
/** A supervisor whose runner died needs this long at most to end what it watches. */
const supervisorMs = 8_000

/**
 * Ends what runners that are gone, together with their supervisors, have left running, and removes their journals. For
 * every start, before any work. `folder` is the one that `Supervisor` was given. Safe beside runners that are alive.
 */
export async function sweepLeftovers(
  folder: string,
  options: { readonly table?: ProcessTable; readonly signal?: AbortSignal } = {},
): Promise<SweepReport> {
  const table = options.table ?? systemProcessTable()
  const report = { ended: [], survivors: [], live: [] } as {
    ended: SweepReport['ended'][number][]
    survivors: SweepReport['survivors'][number][]
    live: string[]
  }
  for (const name of existsSync(folder) ? readdirSync(folder) : []) {
    if (!name.startsWith('supervisor-')) continue
    const path = join(folder, name)
    const journal = readJournal(join(path, 'journal.ndjson'))
    // Made a moment ago by a runner that is about to write its journal.
    if (journal === null && Date.now() - statSync(path).mtimeMs < 60_000) continue
    if (journal !== null && journal.owner.scope === processScope()) {
      if (isAlive(table, journal.owner.runner)) {
        report.live.push(...journal.open.map((target) => target.marker))
        continue
      }
      await outwaitSupervisor(table, journal.owner.supervisor, options.signal)
      const result = await endMarked(readJournal(join(path, 'journal.ndjson'))?.open ?? [], table)
      report.ended.push(...result.ended)
      report.survivors.push(...result.survivors)
      if (result.survivors.length > 0) continue
    }
    rmSync(path, { recursive: true, force: true })
  }
  return report
}

/** Ends all processes of these attempts, wherever they went: by marker, by the recorded process, by descent. */
export async function endMarked(
  targets: readonly FamilyTarget[],
  table: ProcessTable,
): Promise<Pick<SweepReport, 'ended' | 'survivors'>> {
  const survivors: SweepReport['survivors'][number][] = []
  const ended: SweepReport['ended'][number][] = []
  await Promise.all(
    targets.map(async (target) => {
      const processes = aliveOf(target, table)
      if (processes.length === 0) return
      const left = await endFamily({
        alive: async () => aliveOf(target, table),
        group: target.main?.pid ?? null,
        table,
        pause: (ms) => sleep(ms),
        monotonic: () => performance.now(),
        graceMs,
      })
      survivors.push(...left.map((entry) => ({ marker: target.marker, pid: entry.pid })))
      if (left.length === 0) ended.push({ marker: target.marker, processes: processes.length })
    }),
  )
  return { ended, survivors }
}

/** Living processes of an attempt: none means that they are proven dead. */
export function aliveOf(target: FamilyTarget, table: ProcessTable): ProcessEntry[] {
  const families = findFamilies(table.list(), [target], (entry) => table.markerOf(entry.pid), new Set([process.pid]))
  return families.get(target)?.filter((entry) => !entry.zombie) ?? []
}

/** The supervisor of a dead runner is ending its commands just now; one that cannot is ended itself. */
async function outwaitSupervisor(
  table: ProcessTable,
  supervisor: ProcessName | null,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (supervisor === null) return
  const until = performance.now() + supervisorMs
  while (isAlive(table, supervisor)) {
    if (performance.now() > until) process.kill(supervisor.pid, 'SIGKILL')
    await sleep(20, undefined, { signal })
  }
}

function isAlive(table: ProcessTable, name: ProcessName): boolean {
  const entry = table.find(name.pid)
  return entry !== null && entry.start === name.start && !entry.zombie
}
