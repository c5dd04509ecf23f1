import { AppError } from '../../../foundation/kernel/errors.ts'
import type { TenantId } from '../../../foundation/kernel/ids.ts'
import type { JsonObject, JsonValue } from '../../../foundation/kernel/json.ts'
import { transition } from '../../../foundation/kernel/state-table.ts'
import type { Database, Tx } from '../../../foundation/platform/database/database.ts'
import { appendEvents, type NewEvent } from '../../../foundation/runtime/event-log.ts'
import { createLoop, type Loop } from '../../../foundation/runtime/loop.ts'
import type { RuleLanguage } from '../rule-language.ts'
import type { Outcome, Rule } from '../sources-contract.ts'
import { receiptTable } from './receipt-states-contract.ts'
import {
  type DueReceipt,
  holdReceipts,
  listDueReceipts,
  lockDueReceipts,
  type ReceiptChange,
  saveReceipts,
} from './receipts-store.ts'
import { typeHeader } from './receive.ts'
import type { Source } from './source.ts'
import { listSourceRows } from './sources-store.ts'

/** What rules can do besides publishing; `app/` provides it from the runs. All act within `tx`. */
export interface RuleActions {
  /** Throws, for example, `workflow-not-found`. */
  startRun(
    tx: Tx,
    tenant: TenantId,
    start: {
      readonly workflow: string
      readonly inputs: JsonObject
      readonly labels: Readonly<Record<string, string>>
    },
    now: Date,
  ): Promise<string>
  /** Throws `run-not-found`. */
  requireRun(tx: Tx, tenant: TenantId, runId: string): Promise<void>
}

export interface RouterOptions {
  readonly database: Database
  readonly language: RuleLanguage
  readonly actions: RuleActions
  /** Whether rules may act for a tenant: those of a suspended one wait. Default: always. */
  readonly isOpen?: (tenant: TenantId) => Promise<boolean>
  /** Called after a commit that appended events. */
  readonly onCommit?: () => void
  /** Receipts a transaction, at most. Default 200. */
  readonly batch?: number
  readonly pollMs?: number
  readonly onError: (error: unknown) => void
}

/** Tries of a receipt that fails for reasons that may pass: about 20 minutes in all. */
const retryAfterMs = [1_000, 5_000, 30_000, 120_000, 300_000, 600_000]

/**
 * Applies the rules of their source to received webhooks: each receipt in one transaction with all its rules do, so that
 * every one takes effect once or not at all. Any number of processes may route.
 */
export function startRouter(options: RouterOptions): Loop {
  const { database, batch = 200 } = options
  const system = database.asSystem('webhook-router')
  return createLoop({
    pollMs: options.pollMs ?? 1_000,
    idle: { pulse: database.pulse },
    onError: options.onError,
    step: async () => {
      const now = database.clock.now()
      const due = await system.read((tx) => listDueReceipts(tx, now, batch))
      const byTenant = Map.groupBy(due, ({ tenant }) => tenant)
      let routed = 0
      for (const [tenant, receipts] of byTenant) {
        const ids = receipts.map(({ id }) => id)
        const isOpen = options.isOpen === undefined || (await options.isOpen(tenant))
        routed += await (isOpen ? routeAll : holdAll)(options, tenant, ids)
      }
      return due.length === batch && routed > 0
    },
  })
}

/** What a suspended tenant received before waits, each told once, and is routed when the tenant is let in again. */
async function holdAll({ database, onCommit }: RouterOptions, tenant: TenantId, ids: readonly string[]) {
  return database.forTenant(tenant).write(async (tx) => {
    const now = database.clock.now()
    const receipts = await lockDueReceipts(tx, tenant, ids, [], now)
    const held = receipts.map(({ id }) => id)
    await holdReceipts(tx, tenant, held)
    const reason = 'the tenant is suspended'
    await appendEvents(
      tx,
      receipts.map((receipt) => changed(receipt, null, 'held', { reason }, now)),
    )
    if (onCommit !== undefined) tx.afterCommit(onCommit)
    return held.length
  })
}

/** Many at once; where one fails, each by itself, so that it holds up no other. */
async function routeAll(options: RouterOptions, tenant: TenantId, ids: readonly string[]): Promise<number> {
  try {
    return await routeBatch(options, tenant, ids)
  } catch {
    let routed = 0
    for (const id of ids) {
      try {
        routed += await routeBatch(options, tenant, [id])
      } catch (reason) {
        if (!(reason instanceof AppError)) options.onError(reason)
        routed += await giveBack(options, tenant, id, reason)
      }
    }
    return routed
  }
}

async function routeBatch(options: RouterOptions, tenant: TenantId, ids: readonly string[]): Promise<number> {
  const { database, onCommit } = options
  return database.forTenant(tenant).write(async (tx) => {
    const now = database.clock.now()
    const all = await listSourceRows(tx, tenant)
    const sources = new Map(all.map((source) => [source.id, source]))
    const ruled = all.filter(({ rules }) => rules.length > 0).map(({ id }) => id)
    const receipts = await lockDueReceipts(tx, tenant, ids, ruled, now)
    if (receipts.length === 0) return 0
    const events: NewEvent[] = []
    const changes: ReceiptChange[] = []
    for (const receipt of receipts) {
      const source = sources.get(receipt.sourceId)
      const outcomes = source === undefined ? [] : await apply(options, tx, source, receipt, now, events)
      const event = outcomes.length === 0 ? 'ignore' : 'route'
      const state = transition(receiptTable, `webhook ${receipt.id}`, receipt.state, event)
      changes.push({ id: receipt.id, state, outcomes, error: null, dueAt: now })
      events.push(changed(receipt, source?.name ?? null, state, { outcomes: [...outcomes] as JsonValue }, now))
    }
    await saveReceipts(tx, tenant, changes, now)
    await appendEvents(tx, events)
    if (onCommit !== undefined) tx.afterCommit(onCommit)
    return receipts.length
  })
}

/** Does what the matching rules say, in their order. */
async function apply(
  { language, actions }: RouterOptions,
  tx: Tx,
  source: Source,
  receipt: DueReceipt,
  now: Date,
  events: NewEvent[],
): Promise<readonly Outcome[]> {
  if (receipt.content === null) return []
  const context = contextOf(source, receipt, receipt.content)
  const outcomes: Outcome[] = []
  for (const [n, rule] of source.rules.entries()) {
    if (!matches(language, rule, context)) continue
    if ('start' in rule) {
      const { workflow, inputs, labels } = language.fill(rule.start as JsonObject, context) as unknown as {
        workflow: string
        inputs: JsonObject
        labels: Record<string, JsonValue>
      }
      const texts = Object.fromEntries(Object.entries(labels).map(([name, value]) => [name, textOf(value)]))
      const start = { workflow, inputs, labels: { ...texts, webhook: receipt.id } }
      outcomes.push({ rule: n, action: 'start', runId: await actions.startRun(tx, receipt.tenant, start, now) })
    } else if ('publish' in rule) {
      const filled = language.fill(rule.publish as JsonObject, context) as JsonObject
      events.push(
        published(receipt, rule.publish.type, textOf(filled.subject ?? receipt.id), null, filled.data, context, now),
      )
      outcomes.push({ rule: n, action: 'publish', type: rule.publish.type })
    } else {
      const filled = language.fill(rule.resume as JsonObject, context) as JsonObject
      const runId = textOf(filled.run ?? null)
      await actions.requireRun(tx, receipt.tenant, runId)
      events.push(published(receipt, rule.resume.event, receipt.id, runId, filled.data, context, now))
      outcomes.push({ rule: n, action: 'resume', type: rule.resume.event, runId })
    }
  }
  return outcomes
}

/** A condition without a value, say because the payload lacks a field, is one that does not hold. */
function matches(language: RuleLanguage, rule: Rule, context: JsonObject): boolean {
  if (rule.when === undefined) return true
  try {
    return language.condition(rule.when, context)
  } catch (error) {
    if (error instanceof AppError && error.kind === 'input') return false
    throw error
  }
}

function contextOf(
  source: Source,
  { deliveryId }: DueReceipt,
  { headers, body, receivedAt }: NonNullable<DueReceipt['content']>,
): JsonObject {
  return {
    headers,
    payload: JSON.parse(body) as JsonValue,
    source: { name: source.name, preset: source.preset },
    delivery: {
      id: deliveryId,
      type: headers[typeHeader] ?? null,
      receivedAt: receivedAt.toISOString(),
    },
  }
}

function published(
  receipt: DueReceipt,
  type: string,
  subject: string,
  runId: string | null,
  data: JsonValue | undefined,
  context: JsonObject,
  now: Date,
): NewEvent {
  return {
    tenant: receipt.tenant,
    type,
    subject: { kind: type.slice(0, type.indexOf('.')), id: subject.slice(0, 200) || receipt.id, rev: 1 },
    runId,
    at: now,
    data: data ?? context.payload ?? null,
  }
}

function changed(receipt: DueReceipt, source: string | null, state: string, data: JsonObject, now: Date): NewEvent {
  return {
    tenant: receipt.tenant,
    type: `webhook.${state}`,
    subject: { kind: 'webhook', id: receipt.id, rev: receipt.attempt + 1 },
    runId: null,
    at: now,
    data: { source, deliveryId: receipt.deliveryId, ...data },
  }
}

/** Puts a receipt off whose rules failed, or ends it where trying again cannot help. */
async function giveBack(options: RouterOptions, tenant: TenantId, id: string, reason: unknown): Promise<number> {
  const { database, onCommit } = options
  return database.forTenant(tenant).write(async (tx) => {
    const now = database.clock.now()
    const [receipt] = await lockDueReceipts(tx, tenant, [id], [], now)
    if (receipt === undefined) return 0
    const known = reason instanceof AppError ? reason : null
    const wait = known?.retry === 'never' ? undefined : retryAfterMs[receipt.attempt]
    const state = transition(receiptTable, `webhook ${id}`, receipt.state, wait === undefined ? 'fail' : 'retry')
    const error = { code: known?.code ?? 'internal', message: known?.message ?? 'unforeseen failure' }
    await saveReceipts(
      tx,
      tenant,
      [{ id, state, outcomes: [], error, dueAt: new Date(now.getTime() + (wait ?? 0)) }],
      now,
    )
    if (state === 'failed') await appendEvents(tx, [changed(receipt, null, state, { error }, now)])
    if (onCommit !== undefined) tx.afterCommit(onCommit)
    return 1
  })
}

function textOf(value: JsonValue): string {
  return typeof value === 'string' ? value : value === null ? '' : JSON.stringify(value)
}
