import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { ReadTx, Tx } from '../../foundation/platform/database/database.ts'
import { prepared, sql } from '../../foundation/platform/database/sql.ts'
import type { PagePlace } from '../../foundation/platform/http/page.ts'
import type { ModelCallView, ModelSettings, ModelSpending } from './models-contract.ts'

/** A call that is over. */
export interface ModelCall extends Omit<ModelCallView, 'startedAt' | 'endedAt'> {
  readonly tenant: TenantId
  readonly startedAt: Date
  readonly endedAt: Date
}

export interface CallContents {
  readonly tenant: TenantId
  readonly callId: string
  readonly request: string
  readonly answer: string
  readonly cut: boolean
  readonly keptUntil: Date
}

const columns = sql`tenant_id as tenant, id, run_id as "runId", task_id as "taskId", agent_id as "agentId", key_id as "keyId", wire,
  asked, model, account, provider, outcome, status, streamed, counted, input_tokens as "inputTokens",
  output_tokens as "outputTokens", cache_read_tokens as "cacheReadTokens", cache_write_tokens as "cacheWriteTokens",
  micro_usd as "microUsd", held_micro_usd as "heldMicroUsd", held_tokens as "heldTokens", started_at as "startedAt",
  ended_at as "endedAt", wait_ms as "waitMs", first_byte_ms as "firstByteMs"`

/** One statement for all of a moment; a call that is there already is left as it is. */
export async function insertCalls(tx: Tx, calls: readonly ModelCall[]): Promise<void> {
  await tx.execute(prepared('insert-model-calls')`
    insert into model_calls (tenant_id, id, run_id, task_id, agent_id, key_id, wire, asked, model, account, provider, outcome,
      status, streamed, counted, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, micro_usd, held_micro_usd,
      held_tokens, started_at, ended_at, wait_ms, first_byte_ms)
    select * from unnest(${calls.map((c) => c.tenant)}::text[], ${calls.map((c) => c.id)}::text[],
      ${calls.map((c) => c.runId)}::text[], ${calls.map((c) => c.taskId)}::text[], ${calls.map((c) => c.agentId)}::text[],
      ${calls.map((c) => c.keyId)}::text[], ${calls.map((c) => c.wire)}::text[], ${calls.map((c) => c.asked)}::text[],
      ${calls.map((c) => c.model)}::text[], ${calls.map((c) => c.account)}::text[], ${calls.map((c) => c.provider)}::text[],
      ${calls.map((c) => c.outcome)}::text[], ${calls.map((c) => c.status)}::int[], ${calls.map((c) => c.streamed)}::boolean[],
      ${calls.map((c) => c.counted)}::boolean[], ${calls.map((c) => c.inputTokens)}::bigint[],
      ${calls.map((c) => c.outputTokens)}::bigint[], ${calls.map((c) => c.cacheReadTokens)}::bigint[],
      ${calls.map((c) => c.cacheWriteTokens)}::bigint[], ${calls.map((c) => c.microUsd)}::bigint[],
      ${calls.map((c) => c.heldMicroUsd)}::bigint[], ${calls.map((c) => c.heldTokens)}::bigint[],
      ${calls.map((c) => c.startedAt)}::timestamptz[], ${calls.map((c) => c.endedAt)}::timestamptz[],
      ${calls.map((c) => c.waitMs)}::int[], ${calls.map((c) => c.firstByteMs)}::int[])
    on conflict (tenant_id, id) do nothing`)
}

export async function insertContents(tx: Tx, contents: readonly CallContents[]): Promise<void> {
  await tx.execute(sql`
    insert into model_contents (tenant_id, call_id, request, answer, cut, kept_until)
    select * from unnest(${contents.map((c) => c.tenant)}::text[], ${contents.map((c) => c.callId)}::text[],
      ${contents.map((c) => c.request)}::text[], ${contents.map((c) => c.answer)}::text[],
      ${contents.map((c) => c.cut)}::boolean[], ${contents.map((c) => c.keptUntil)}::timestamptz[])
    on conflict (tenant_id, call_id) do nothing`)
}

export async function listCalls(
  tx: ReadTx,
  tenant: TenantId,
  filter: { readonly run: string | undefined; readonly before: PagePlace | null; readonly limit: number },
): Promise<readonly ModelCall[]> {
  const { run = null, before } = filter
  return tx.query<ModelCall>(sql`
    select ${columns} from model_calls
    where tenant_id = ${tenant} and (${run}::text is null or run_id = ${run})
      and (${before?.at ?? null}::timestamptz is null
        or (date_trunc('milliseconds', started_at), id) < (${before?.at ?? null}::timestamptz, ${before?.id ?? null}::text))
    order by date_trunc('milliseconds', started_at) desc, id desc limit ${filter.limit}`)
}

export async function readContents(tx: ReadTx, tenant: TenantId, callId: string): Promise<CallContents | null> {
  const [row] = await tx.query<CallContents>(sql`
    select tenant_id as tenant, call_id as "callId", request, answer, cut, kept_until as "keptUntil" from model_contents
    where tenant_id = ${tenant} and call_id = ${callId}`)
  return row ?? null
}

/** The dearest first. */
export async function spendingOfRun(tx: ReadTx, tenant: TenantId, runId: string): Promise<readonly ModelSpending[]> {
  return tx.query<ModelSpending>(sql`
    select model, account, count(*)::int as calls, (count(*) filter (where not counted))::int as uncounted,
      sum(input_tokens)::bigint as "inputTokens", sum(output_tokens)::bigint as "outputTokens",
      sum(cache_read_tokens)::bigint as "cacheReadTokens", sum(cache_write_tokens)::bigint as "cacheWriteTokens",
      coalesce(sum(micro_usd), 0)::bigint as "microUsd"
    from model_calls where run_id = ${runId} and tenant_id = ${tenant}
    group by model, account order by coalesce(sum(micro_usd), 0) desc, model limit 1000`)
}

/** Forgets calls that ended before, and contents whose time is up. Returns how many rows went. */
export async function dropOldCalls(tx: Tx, before: Date, now: Date): Promise<number> {
  const contents = await tx.execute(sql`
    delete from model_contents where (tenant_id, call_id) in (
      select tenant_id, call_id from model_contents where kept_until < ${now} order by kept_until limit 1000)`)
  const calls = await tx.execute(sql`
    delete from model_calls where (tenant_id, id) in (
      select tenant_id, id from model_calls where started_at < ${before} order by started_at limit 5000)`)
  return contents + calls
}

const usual: ModelSettings & { readonly rev: number } = { keepContents: false, keepDays: 30, rev: 0 }

/** `rev` 0: nobody has said anything yet. */
export async function readSettings(tx: ReadTx, tenant: TenantId): Promise<ModelSettings & { readonly rev: number }> {
  const [row] = await tx.query<ModelSettings & { readonly rev: number }>(sql`
    select keep_contents as "keepContents", keep_days as "keepDays", rev from model_settings where tenant_id = ${tenant}`)
  return row ?? usual
}

export async function lockSettings(tx: Tx, tenant: TenantId): Promise<ModelSettings & { readonly rev: number }> {
  const [row] = await tx.query<ModelSettings & { readonly rev: number }>(sql`
    select keep_contents as "keepContents", keep_days as "keepDays", rev from model_settings where tenant_id = ${tenant} for update`)
  return row ?? usual
}

export async function putSettings(tx: Tx, tenant: TenantId, wish: ModelSettings, now: Date): Promise<number> {
  const [row] = await tx.query<{ rev: number }>(sql`
    insert into model_settings (tenant_id, keep_contents, keep_days, updated_at)
    values (${tenant}, ${wish.keepContents}, ${wish.keepDays}, ${now})
    on conflict (tenant_id) do update set keep_contents = excluded.keep_contents, keep_days = excluded.keep_days,
      rev = model_settings.rev + 1, updated_at = excluded.updated_at
    returning rev`)
  return row!.rev
}
