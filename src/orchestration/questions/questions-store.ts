import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { JsonObject } from '../../foundation/kernel/json.ts'
import type { ReadTx, Tx } from '../../foundation/platform/database/database.ts'
import { json, type Query, sql } from '../../foundation/platform/database/sql.ts'
import type { AskAnswer, AskChoice, AskQuestion, AskRules } from '../agents/ask-contract.ts'
import { type ApprovalStanding, nextMove } from '../approvals/approval-plan-contract.ts'
import type { QuestionVote } from './question-votes-contract.ts'
import type { QuestionView } from './questions-contract.ts'

/** What is kept of the rules, beside who may answer; nothing, of questions from before there were any. */
export interface QuestionRules {
  readonly deadlineMs?: number
  readonly atDeadline?: AskRules['atDeadline']
  readonly escalate?: AskRules['escalate']
  readonly count?: number
}

export interface QuestionRow {
  readonly id: string
  readonly run_id: string
  readonly task_id: string
  readonly step: string
  readonly kind: QuestionView['kind']
  readonly message: string
  readonly choices: readonly AskChoice[]
  readonly free_text: boolean
  readonly default_choice: string | null
  readonly details: JsonObject
  readonly who: readonly string[]
  readonly rules: QuestionRules
  readonly level: number
  readonly votes: readonly QuestionVote[]
  readonly state: QuestionView['state']
  readonly rev: number
  readonly choice: string | null
  readonly answer: string | null
  readonly answered_by: string | null
  readonly deadline_at: Date
  readonly created_at: Date
  readonly answered_at: Date | null
}

const columns: Query = sql`id, run_id, task_id, step, kind, message, choices, free_text, default_choice, details, who, rules, level, votes, state, rev, choice, answer, answered_by, deadline_at, created_at, answered_at`

/** Null: it was asked before, with the same key by the same lease. */
export async function insertQuestion(
  tx: Tx,
  id: string,
  question: AskQuestion,
  deadlineMs: number,
  now: Date,
): Promise<string | null> {
  const { atDeadline = null, escalate = [], count = 1 } = question.rules ?? {}
  const rules = { deadlineMs, atDeadline, escalate, count }
  const deadlineAt = new Date(now.getTime() + deadlineMs)
  const rows = await tx.query<{ id: string }>(sql`
    insert into questions (tenant_id, id, run_id, task_id, step, fence, key, kind, message, choices, free_text, default_choice, details, who,
      rules, state, deadline_at, created_at)
    values (${question.tenant}, ${id}, ${question.runId}, ${question.taskId}, ${question.step}, ${question.fence}, ${question.key},
      ${question.kind}, ${question.message}, ${json(question.choices)}::jsonb, ${question.freeText}, ${question.defaultChoice},
      ${json(question.details)}::jsonb, ${question.rules?.who ?? []}::text[], ${json(rules)}::jsonb, 'pending', ${deadlineAt}, ${now})
    on conflict (tenant_id, task_id, fence, key) do nothing returning id`)
  return rows[0]?.id ?? null
}

export async function findByKey(
  tx: ReadTx,
  { tenant, taskId, fence, key }: AskQuestion,
): Promise<QuestionRow | undefined> {
  const rows = await tx.query<QuestionRow>(sql`
    select ${columns} from questions
    where tenant_id = ${tenant} and task_id = ${taskId} and fence = ${fence} and key = ${key}`)
  return rows[0]
}

export async function findQuestions(
  tx: ReadTx,
  tenant: TenantId,
  ids: readonly string[],
): Promise<readonly QuestionRow[]> {
  return tx.query<QuestionRow>(sql`
    select ${columns} from questions where tenant_id = ${tenant} and id = any(${ids}::text[])`)
}

/** Of attempts that had ended before these moments. */
export async function findPendingOfTasks(
  tx: ReadTx,
  ended: readonly { readonly tenant: TenantId; readonly subject: { readonly id: string }; readonly at: Date }[],
): Promise<readonly { readonly tenant: TenantId; readonly id: string }[]> {
  if (ended.length === 0) return []
  return tx.query(sql`
    select distinct q.tenant_id as tenant, q.id from unnest(${ended.map((e) => e.tenant)}::text[],
      ${ended.map((e) => e.subject.id)}::text[], ${ended.map((e) => e.at)}::timestamptz[]) as e(tenant_id, task_id, at)
    join questions q on q.tenant_id = e.tenant_id and q.task_id = e.task_id and q.created_at <= e.at
    where q.state = 'pending' order by 1, 2`)
}

export async function lockQuestion(tx: Tx, tenant: TenantId, id: string): Promise<QuestionRow | undefined> {
  const rows = await tx.query<QuestionRow>(
    sql`select ${columns} from questions where tenant_id = ${tenant} and id = ${id} for update`,
  )
  return rows[0]
}

export async function closeQuestion(
  tx: Tx,
  tenant: TenantId,
  id: string,
  state: QuestionView['state'],
  answer: Pick<AskAnswer, 'choice' | 'text' | 'by'> | null,
  now: Date,
): Promise<void> {
  await tx.execute(sql`
    update questions set state = ${state}, rev = rev + 1, choice = ${answer?.choice ?? null}, answer = ${answer?.text ?? null},
      answered_by = ${answer?.by ?? null}, answered_at = ${now}
    where tenant_id = ${tenant} and id = ${id}`)
}

/** One more has answered. */
export async function saveVotes(tx: Tx, tenant: TenantId, id: string, votes: readonly QuestionVote[]): Promise<void> {
  await tx.execute(sql`
    update questions set rev = rev + 1, votes = ${json(votes)}::jsonb where tenant_id = ${tenant} and id = ${id}`)
}

/** Others are asked as well; nothing else of it changes. */
export async function widenQuestion(
  tx: Tx,
  tenant: TenantId,
  row: Pick<QuestionRow, 'id' | 'who' | 'level' | 'deadline_at'>,
): Promise<void> {
  await tx.execute(sql`
    update questions set rev = rev + 1, who = ${row.who}::text[], level = ${row.level}, deadline_at = ${row.deadline_at}
    where tenant_id = ${tenant} and id = ${row.id}`)
}

/** Newest first, before the given place. What nobody closed in time counts as expired. */
export async function listQuestions(
  tx: ReadTx,
  tenant: TenantId,
  filter: {
    readonly state?: string | undefined
    readonly runs?: readonly string[] | undefined
    readonly before: { readonly at: Date; readonly id: string } | null
    readonly limit: number
    readonly now: Date
  },
): Promise<QuestionView[]> {
  const { state = null, runs = null, before, limit, now } = filter
  const rows = await tx.query<QuestionRow>(sql`
    select ${columns} from questions
    where tenant_id = ${tenant} and (${runs}::text[] is null or run_id = any (${runs}::text[]))
      and (${state}::text is null or ${state} = case when state = 'pending' and deadline_at <= ${now} and not (rules->>'atDeadline' is not distinct from 'escalate' and level < jsonb_array_length(rules->'escalate'))
        then 'expired' else state end)
      and (${before?.at ?? null}::timestamptz is null or (created_at, id) < (${before?.at ?? null}::timestamptz, ${before?.id ?? null}))
    order by created_at desc, id desc limit ${limit}`)
  return rows.map((row) => toQuestionView(row, now))
}

/** As an approval stands: time does the same to both. The choices of agents are words of theirs, and no rules. */
export function standingOf(row: QuestionRow): ApprovalStanding {
  const { deadlineMs = null, atDeadline, escalate = [] } = row.rules
  return {
    rules: { deadlineMs, escalate, choices: [], atDeadline: atDeadline === 'escalate' ? 'escalate' : 'reject' },
    ...{ createdAt: row.created_at, deadlineAt: row.deadline_at, level: row.level },
  }
}

export function toQuestionView(row: QuestionRow, now: Date): QuestionView {
  return {
    id: row.id,
    runId: row.run_id,
    taskId: row.task_id,
    step: row.step,
    kind: row.kind,
    message: row.message,
    choices: [...row.choices],
    freeText: row.free_text,
    defaultChoice: row.default_choice,
    details: row.details as QuestionView['details'],
    who: [...row.who],
    count: row.rules.count ?? 1,
    votes: [...row.votes],
    default: row.rules.atDeadline ?? null,
    escalate: (row.rules.escalate ?? []).map(({ afterMs, to }) => ({ afterMs, to: [...to] })),
    level: row.level,
    state: row.state === 'pending' && nextMove(standingOf(row), now).kind === 'expire' ? 'expired' : row.state,
    choice: row.choice,
    text: row.answer,
    answeredBy: row.answered_by,
    deadlineAt: row.deadline_at.toISOString(),
    createdAt: row.created_at.toISOString(),
    answeredAt: row.answered_at?.toISOString() ?? null,
  }
}
