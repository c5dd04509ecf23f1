export interface TaskEvents {
  /** SQL over a row of `from`. */
  readonly type: string
  readonly at: string
  /** What to say of a row: SQL that gives JSON. */
  readonly data: string
  /** Where the rows come from: each has tenant_id, id, run_id and rev, and `where` says which. */
  readonly from: string
  readonly rev?: string
}

/** Which attempt of which item of which step, and on which agent. */
export const attemptData = "json_build_object('step', step, 'item', item, 'attempt', attempt, 'agent', agent_id)"

/**
 * The statement that appends an event for each row: those of one run and type together in one row of the log, as many as
 * that admits.
 */
export function insertTaskEvents({ type, at, data, from, rev = 'rev' }: TaskEvents): string {
  return `
        insert into event_batches (tenant_id, type, subject_kind, run_id, at, subject_ids, subject_revs, data)
        select tenant_id, type, 'task', run_id, ${at}, array_agg(id), array_agg(rev), array_agg(data)
        from (select tenant_id, ${type} as type, run_id, id, ${rev} as rev, ${data}::text as data,
          (row_number() over () - 1) / 1000 as part from ${from}) e
        group by tenant_id, type, run_id, part`
}
