import { failpoint } from '../../foundation/kernel/failpoints.ts'
import type { ReadTx, Tx } from '../../foundation/platform/database/database.ts'
import { type MovedTable, quoted } from './moved-tables.ts'

/** Every value travels as PostgreSQL writes it, and is read back by its type. */
type TextRow = Record<string, string | null>

export interface TableRules {
  /** What is read in place of a column: an expression that gives text. */
  readonly expressions?: Readonly<Record<string, string>>
  /** Changes a row on its way. */
  readonly change?: (row: TextRow) => TextRow
}

/** What a batch should weigh, in characters; rows are few where they are large. */
const batchWeight = 2_000_000
const mostRows = 2_000

/** Copies the rows in the order of their key. Returns how many there were. */
export async function copyTable(
  from: ReadTx,
  to: Tx,
  table: MovedTable,
  rules: TableRules,
  onRows: (copied: number) => void,
): Promise<number> {
  const { columns, key } = table
  const cursor = `move_${table.name}`
  const read = columns.map(({ name }) => `${rules.expressions?.[name] ?? `t.${quoted(name)}::text`} as ${quoted(name)}`)
  const order = key.length === 0 ? '' : `order by ${key.map((name) => `t.${quoted(name)}`).join(', ')}`
  const declare = `declare ${quoted(cursor)} no scroll cursor for select ${read.join(', ')} from ${quoted(table.name)} t ${order}`
  await from.query({ text: declare, values: [] })
  const insert = insertText(table)
  let copied = 0
  let size = 200
  for (;;) {
    const rows = await from.query<TextRow>({ text: `fetch ${size} from ${quoted(cursor)}`, values: [] })
    if (rows.length === 0) break
    const changed = rules.change === undefined ? rows : rows.map(rules.change)
    const values = columns.map(({ name }) => changed.map((row) => row[name] ?? null))
    await to.execute({ text: insert, values })
    failpoint('move.batch')
    copied += rows.length
    onRows(copied)
    const weight = values.reduce((sum, column) => sum + column.reduce((all, text) => all + (text?.length ?? 0), 0), 1)
    size = Math.max(1, Math.min(mostRows, Math.floor((rows.length * batchWeight) / weight)))
  }
  await from.query({ text: `close ${quoted(cursor)}`, values: [] })
  return copied
}

function insertText({ name, columns }: MovedTable): string {
  const names = columns.map((column) => quoted(column.name))
  const casts = columns.map((column, n) => `c${n}::${column.type}`)
  const arrays = columns.map((_, n) => `$${n + 1}::text[]`)
  const aliases = columns.map((_, n) => `c${n}`)
  return (
    `insert into ${quoted(name)} (${names.join(', ')}) overriding system value ` +
    `select ${casts.join(', ')} from unnest(${arrays.join(', ')}) as r(${aliases.join(', ')})`
  )
}
