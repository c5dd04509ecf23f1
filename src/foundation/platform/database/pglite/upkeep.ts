import type { PgliteBackend } from './pglite-backend.ts'

export interface UpkeepOptions {
  /** WAL since the last checkpoint that makes one due. Default 64 MiB. */
  readonly walLimit?: number
  /** Rows that may be dead, changed or new in a table of any size before it is vacuumed or analysed. Default 1000. */
  readonly rowLimit?: number
  /** The share of the live rows that may be, on top. Default 0.2. */
  readonly rowShare?: number
}

interface DueTable {
  readonly name: string
  readonly task: 'vacuum' | 'analyze'
}

/** Dead rows make scans slow and new ones lack statistics; a table close to transaction id wraparound is due at any rate. */
const dueTables = `
  select format('%I.%I', s.schemaname, s.relname) as name,
    case when s.n_dead_tup > $1::float8 + $2::float8 * s.n_live_tup or s.n_ins_since_vacuum > 10 * $1::float8 + $2::float8 * s.n_live_tup
      or age(c.relfrozenxid) > 150000000 then 'vacuum' else 'analyze' end as task
  from pg_stat_all_tables s join pg_class c on c.oid = s.relid
  where c.relkind in ('r', 'm') and (s.n_dead_tup > $1::float8 + $2::float8 * s.n_live_tup
    or s.n_ins_since_vacuum > 10 * $1::float8::float8 + $2::float8 * s.n_live_tup or s.n_mod_since_analyze > $1::float8 + $2::float8 * s.n_live_tup
    or age(c.relfrozenxid) > 150000000)
  order by s.n_dead_tup desc`

const walSize = `
  select pg_current_wal_insert_lsn() - redo_lsn as bytes from pg_control_checkpoint()`

/**
 * What autovacuum and the checkpointer do elsewhere, once: each statement takes its own turn, so that transactions get
 * in between. Returns the statements it ran.
 */
export async function runUpkeep(backend: PgliteBackend, options: UpkeepOptions = {}): Promise<readonly string[]> {
  const { walLimit = 64 * 1_048_576, rowLimit = 1_000, rowShare = 0.2 } = options
  const due = await backend.asOwner(async ({ client }) => {
    // Statistics of the last second may not have been written down yet.
    await client.query('select pg_stat_force_next_flush()')
    return (await client.query<DueTable>({ name: 'upkeep', text: dueTables, values: [rowLimit, rowShare] })).rows
  })
  const statements = due.flatMap(({ name, task }) =>
    task === 'vacuum' ? [`vacuum ${name}`, `analyze ${name}`] : [`analyze ${name}`],
  )
  const wal = await backend.asOwner(async ({ client }) =>
    Number((await client.query<{ bytes: string }>(walSize)).rows[0]?.bytes),
  )
  if (wal > walLimit) statements.push('checkpoint')
  for (const statement of statements) await backend.asOwner(({ client }) => client.query(statement))
  return statements
}

/** Fewer transactions than this leave nothing that could not wait a little. */
const manyTurns = 50
/** How many times longer it waits then. */
const patience = 30

/**
 * Runs upkeep every `everyMs` if there were many transactions since, and now and then if there were any. Returns the end of
 * it, which waits for the run under way.
 */
export function startUpkeep(
  backend: PgliteBackend,
  everyMs: number,
  onError: (error: unknown) => void,
): () => Promise<void> {
  let seen = backend.turns()
  let skipped = 0
  let running: Promise<void> | undefined

  async function run(): Promise<void> {
    try {
      await runUpkeep(backend)
    } catch (error) {
      onError(error)
    } finally {
      seen = backend.turns()
      skipped = 0
      running = undefined
    }
  }

  const timer = setInterval(() => {
    const turns = backend.turns() - seen
    if (turns >= manyTurns || (turns > 0 && ++skipped >= patience)) running ??= run()
  }, everyMs)
  timer.unref()
  return async () => {
    clearInterval(timer)
    await running
  }
}
