import type { ReadTx } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'

export interface MovedColumn {
  readonly name: string
  /** As SQL writes it, for a cast. */
  readonly type: string
}

export interface MovedTable {
  readonly name: string
  readonly columns: readonly MovedColumn[]
  /** The primary key, or what orders the rows in its place. */
  readonly key: readonly string[]
}

/**
 * Not copied row by row: the versions, which both have; this bookkeeping itself; buckets of rates, which are full after any
 * crash; and blobs, which are copied from store to store.
 */
const leftOut = ['migrations', 'moves', 'rate_buckets', 'blobs']

/** What the migrations themselves put into a new database; it is replaced. */
export const seeded = ['tenants', 'log_epochs', 'ticks'] as const

/** Every table whose rows are moved, by name. Partitions are reached through their parents. */
export async function listMovedTables(tx: ReadTx): Promise<readonly MovedTable[]> {
  const rows = await tx.query<{ name: string; columns: MovedColumn[]; key: string[] | null }>(sql`
    select c.relname as name,
      (select jsonb_agg(jsonb_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod)) order by a.attnum)
        from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = '') as columns,
      (select array_agg(a.attname::text order by k.n) from pg_index i
        cross join lateral unnest(i.indkey::int2[]) with ordinality as k(attnum, n)
        join pg_attribute a on a.attrelid = c.oid and a.attnum = k.attnum
        where i.indrelid = c.oid and i.indisprimary) as key
    from pg_class c
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
      and c.relpersistence = 'p' and c.relname <> all (${leftOut}::text[])
    order by c.relname`)
  return rows.map(({ name, columns, key }) => ({
    name,
    columns,
    key: key ?? columns.filter((column) => column.name === 'seq').map((column) => column.name),
  }))
}

/** Numbers that sequences have given out; those that have given out none are left out. */
export async function readSequences(tx: ReadTx): Promise<readonly { readonly name: string; readonly last: number }[]> {
  return tx.query(sql`
    select sequencename::text as name, last_value as last from pg_sequences
    where schemaname = 'public' and last_value is not null order by 1`)
}

export const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`
