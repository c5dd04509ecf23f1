import type { Database, ReadTx, Tx } from '../../foundation/platform/database/database.ts'
import {
  beginEpoch,
  burnTransactions,
  loggedDays,
  makeLoggedDays,
  readTickPlaces,
} from '../../foundation/runtime/log-move.ts'
import { insertTick } from '../../foundation/runtime/ticker.ts'
import { mostChunkTransactions, movedLogChunks } from '../../observability/logs/log-move.ts'
import { sumLedger } from '../../orchestration/budgets/ledger-sums.ts'
import { assertSame, chainLog, digestTable, type LogChain } from './check-move.ts'
import { copyTable, type TableRules } from './copy-table.ts'
import { migrateErrors } from './migrate-errors.ts'
import { listMovedTables, type MovedTable, quoted, readSequences, seeded } from './moved-tables.ts'
import { insertMove, type Move } from './moves-store.ts'

export interface CopyProgress {
  readonly phase: 'counting' | 'copying' | 'checking'
  readonly table: string
  readonly done: number
  readonly total: number
}

export interface CopiedDatabase {
  readonly tables: number
  readonly rows: number
  readonly log: LogChain
  readonly epoch: number
}

/**
 * Copies all rows into a database of the same version that has none, in one transaction there; the source is locked against
 * writes meanwhile. Whatever breaks off leaves the target empty. Errors: `move-target-not-empty`, `move-versions-differ`,
 * `move-check-failed`.
 */
export async function copyDatabase(
  source: Database,
  target: Database,
  move: Move,
  onProgress: (progress: CopyProgress) => void,
): Promise<CopiedDatabase> {
  // All that is committed belongs to a tick from here on: nobody else writes.
  await source.asSystem('move-out').write((tx) => insertTick(tx, source.clock.now()))
  const days = await source.asSystem('move-out').read(loggedDays)
  const into = target.asSystem('move-in')
  await into.write((tx) => makeLoggedDays(tx, days))
  return source.asSystem('move-out').write(
    async (from) => {
      const tables = await listMovedTables(from)
      await from.execute({
        text: `lock table ${tables.map(({ name }) => quoted(name)).join(', ')} in share mode`,
        values: [],
      })
      const ticks = await readTickPlaces(from)
      await burnTransactions((fn) => into.write(fn), Math.max(ticks.count, await mostChunkTransactions(from)))
      const rules = rulesFor(ticks)
      const before = await describe(from, tables, onProgress, 'counting')
      return into.write(
        async (to) => {
          await assertReady(from, to, tables)
          for (const name of seeded) await to.execute({ text: `delete from ${quoted(name)}`, values: [] })
          let rows = 0
          for (const table of tables) {
            const total = before.rows.get(table.name) ?? 0
            const tell = (done: number) => onProgress({ phase: 'copying', table: table.name, done, total })
            rows += await copyTable(from, to, table, rules.get(table.name) ?? {}, tell)
          }
          for (const { name, last } of await readSequences(from)) {
            await to.query({ text: 'select advance_sequence($1, $2)', values: [name, last] })
          }
          const after = await describe(to, tables, onProgress, 'checking')
          assertSame(before.facts, after.facts)
          const epoch = await beginEpoch(to, `moved from ${source.kind}`, target.clock.now())
          await insertMove(to, { ...move, direction: 'in', endedAt: target.clock.now() })
          return { tables: tables.length, rows, log: after.log, epoch }
        },
        { retries: 0 },
      )
    },
    { retries: 0 },
  )
}

function rulesFor(ticks: Awaited<ReturnType<typeof readTickPlaces>>): ReadonlyMap<string, TableRules> {
  const { table, column, expression } = movedLogChunks
  return new Map<string, TableRules>([
    ['event_batches', { change: (row) => ({ ...row, xid: ticks.placeOf(row.xid!) }) }],
    ['ticks', { change: (row) => ({ ...row, snapshot: ticks.snapshotOf(Number(row.id)) }) }],
    [table, { expressions: { [column]: expression } }],
  ])
}

/** Columns whose contents a move changes. */
const changed: Readonly<Record<string, readonly string[]>> = {
  event_batches: ['xid'],
  ticks: ['snapshot'],
  [movedLogChunks.table]: [movedLogChunks.column],
}

/** What must be the same on both sides. */
async function describe(
  tx: ReadTx,
  tables: readonly MovedTable[],
  onProgress: (progress: CopyProgress) => void,
  phase: 'counting' | 'checking',
) {
  const facts = new Map<string, unknown>()
  const rows = new Map<string, number>()
  for (const [done, table] of tables.entries()) {
    onProgress({ phase, table: table.name, done, total: tables.length })
    const digest = await digestTable(tx, table, changed[table.name] ?? [])
    facts.set(table.name, digest)
    rows.set(table.name, digest.rows)
  }
  const log = await chainLog(tx, (read) => onProgress({ phase, table: 'events', done: read, total: read }))
  facts.set('events as readers see them', log)
  facts.set('sums of budgets', await sumLedger(tx))
  return { facts, rows, log }
}

/** Errors: `move-versions-differ`, `move-target-not-empty`. */
async function assertReady(from: ReadTx, to: Tx, tables: readonly MovedTable[]): Promise<void> {
  const versions = { text: 'select version, checksum from migrations order by version', values: [] }
  const [ours, theirs] = [await from.query(versions), await to.query(versions)]
  if (JSON.stringify(ours) !== JSON.stringify(theirs)) {
    throw migrateErrors['move-versions-differ'](`${ours.length} migrations here, ${theirs.length} there, or others`)
  }
  const full: string[] = []
  for (const { name } of tables) {
    const offset = (seeded as readonly string[]).includes(name) ? 1 : 0
    const more = { text: `select from ${quoted(name)} offset ${offset} limit 1`, values: [] }
    if ((await to.query(more)).length > 0) full.push(name)
  }
  if (full.length > 0) throw migrateErrors['move-target-not-empty'](`there are rows in ${full.join(', ')}`)
}
