export interface TaskEvents {
  /** SQL over a row of `from`. */
  readonly type: string
  readonly at: string
  /** What to say of a row: SQL that gives JSON as text. */
  readonly data: string
  /** Where the rows come from: each has tenant_id, id, run_id and rev, and `where` says which. */
  readonly from: string
  readonly rev?: string
}

/** Which attempt of which item of which step, and on which agent. A third of what `json_build_object` takes. */
export const attemptData = `'{"step":' || to_json(step) || ',"item":' || coalesce(item::text, 'null')
  || ',"attempt":' || attempt || ',"agent":' || coalesce(to_json(agent_id)::text, 'null') || '}'`

/**
 * The statement that appends an event for each row, those of one run and type together in one row of the log; see
 * `mostTasks`.
 */
export function insertTaskEvents({ type, at, data, from, rev = 'rev' }: TaskEvents): string {
  return `
        insert into event_batches (tenant_id, type, subject_kind, run_id, at, subject_ids, subject_revs, data)
        select tenant_id, ${type}, 'task', run_id, ${at}, array_agg(id), array_agg(${rev}), array_agg(${data})
        from ${from}
        group by 1, 2, 4`
}
