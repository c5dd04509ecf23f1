import pg from 'pg'

/** A tenant, a run and one task a caller, each with a budget that is never exhausted. */
export async function openAccounts(url: string, tasks: number): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(
      `insert into budgets (tenant_id, id, scope, scope_id, unit, hard_limit)
       values ('default', 'tenant:default:micro-usd', 'tenant', 'default', 'micro-usd', 1000000000000),
         ('default', 'run:run_bench:micro-usd', 'run', 'run_bench', 'micro-usd', 1000000000000)`,
    )
    await client.query(
      `insert into budgets (tenant_id, id, scope, scope_id, unit, hard_limit)
       select 'default', 'task:task_' || n || ':micro-usd', 'task', 'task_' || n, 'micro-usd', 1000000000000
       from generate_series(0, $1::int - 1) as n`,
      [tasks],
    )
  } finally {
    await client.end()
  }
}
