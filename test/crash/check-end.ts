import { expect } from 'vitest'
import { lockFolder } from '../../src/foundation/platform/data-folder/folder-lock.ts'
import type { Database } from '../../src/foundation/platform/database/database.ts'
import { openDatabase } from '../../src/foundation/platform/database/open-database.ts'
import { sql } from '../../src/foundation/platform/database/sql.ts'
import type { CrashPlace } from './crash-place.ts'

interface TaskRow {
  readonly id: string
  readonly item: number | null
  readonly step: string
  readonly state: string
  readonly fence: number
  readonly output: { readonly attempt?: string } | null
  readonly succeeded: readonly string[] | null
}

/** What must hold when all runs of a place have ended, however often it was killed. Returns how many attempts were lost. */
export async function checkEnd(place: CrashPlace, tasks: number, url?: string): Promise<{ readonly lost: number }> {
  await place.untilQuiet()
  expect(place.supervisors()).toEqual([])
  expect(place.worktrees()).toHaveLength(1)
  expect(place.workspaces()).toEqual([])
  const lock = url === undefined ? await lockFolder(place.data) : null
  const database = await openDatabase(
    url === undefined ? { kind: 'pglite', folder: `${place.data}/database`, lock: lock! } : { kind: 'postgres', url },
  )
  try {
    return await checkRows(database, place, tasks)
  } finally {
    await database.close()
    await lock?.release()
  }
}

async function checkRows(database: Database, place: CrashPlace, tasks: number): Promise<{ readonly lost: number }> {
  const { open, used, lost, rows } = await database.asSystem('crash test').read(async (tx) => {
    const [facts] = await tx.query<{ open: number; used: number; lost: number }>(sql`
      select (select count(*)::int from runs where state <> 'succeeded') as open,
        (select coalesce(sum(used), 0)::int from agents) as used,
        (select count(*)::int from attempts where outcome = 'lost') as lost`)
    const rows = await tx.query<TaskRow>(sql`
      select t.id, t.item, t.step, t.state, t.fence, t.output,
        (select array_agg(a.task_id || '.' || a.fence) from attempts a
          where a.tenant_id = t.tenant_id and a.task_id = t.id and a.outcome = 'succeeded') as succeeded
      from tasks t order by t.id`)
    return { ...facts!, rows }
  })
  expect({ open, used }).toEqual({ open: 0, used: 0 })
  const worked = rows.filter((row) => row.step === 'work')
  expect(worked.length % tasks).toBe(0)
  const effects = new Map(place.effects().map(({ item, attempt }) => [attempt, item]))
  for (const row of rows) expect(row, row.id).toMatchObject({ state: 'succeeded' })
  for (const row of worked) {
    // One attempt succeeded, its output is what that very attempt printed, and its work was done.
    expect(row.succeeded, row.id).toEqual([`${row.id}.${row.fence}`])
    expect(row.output, row.id).toEqual({ attempt: row.succeeded![0], commit: expect.stringMatching(/^[0-9a-f]{40}$/) })
    expect(effects.get(row.succeeded![0]!), row.id).toBe(row.item)
  }
  return { lost }
}
