import { z } from 'zod'
import { endpoint } from '../../foundation/platform/http/endpoint-contract.ts'
import { budgetUnitNames } from './budget-units-contract.ts'
import { isTimeWindow, type TimeWindow } from './budget-windows-contract.ts'

export const budgetScopeSchema = z.enum(['tenant', 'team', 'workflow', 'run', 'task', 'agent'])
export type BudgetScope = z.infer<typeof budgetScopeSchema>
export const budgetUnitSchema = z.enum(budgetUnitNames)
export const timeWindowSchema = z
  .string()
  .refine((text): text is TimeWindow => isTimeWindow(text), 'expected total, run, day, month or a duration such as 5h')
const amount = z.number().min(0).max(9_000_000_000_000)
const moment = z.iso.datetime({ offset: true })

/** Amounts are in `unit`. `left` is what may still be held; null where there is no hard limit. */
export const budgetSchema = z.object({
  id: z.string(),
  scope: budgetScopeSchema,
  scopeId: z.string(),
  unit: budgetUnitSchema,
  window: z.string(),
  windowStart: moment.nullable(),
  windowEnd: moment.nullable(),
  hardLimit: z.number().nullable(),
  softLimit: z.number().nullable(),
  softReachedAt: moment.nullable(),
  held: z.number(),
  spent: z.number(),
  left: z.number().nullable(),
  /** What of `spent` each class of enforcement accounts for. Only what is reported can go beyond a hard limit. */
  byEnforcement: z.object({ metered: z.number(), capped: z.number(), reported: z.number() }),
  /** The budget with the window `run` from which this one was made; null: it was set by itself. */
  origin: z.string().nullable(),
  /** Counts the changes of its limits, not what is spent. */
  rev: z.int(),
})
export type BudgetView = z.infer<typeof budgetSchema>

export const budgetDetailSchema = budgetSchema.extend({
  /** What the open reservations will probably spend. */
  expected: z.number(),
  reservations: z.int(),
  waiting: z.object({ tasks: z.int(), reservations: z.int() }),
  /** Of shares of subscriptions: those whose windows it counts, and how much of their present ones is used up. */
  subscriptions: z.array(
    z.object({ name: z.string(), window: z.string(), windowEnd: moment.nullable(), usedShare: z.number() }),
  ),
  /** Windows that are over, newest first. */
  windows: z.array(
    z.object({
      windowStart: moment,
      windowEnd: moment,
      held: z.number(),
      spent: z.number(),
      hardLimit: z.number().nullable(),
    }),
  ),
})
export type BudgetDetail = z.infer<typeof budgetDetailSchema>

export const ledgerEntrySchema = z.object({
  id: z.string(),
  state: z.enum(['waiting', 'held', 'settled', 'expired', 'released', 'refused']),
  enforcement: z.enum(['metered', 'capped', 'reported']),
  held: z.number(),
  expected: z.number(),
  spent: z.number(),
  windowStart: moment.nullable(),
  runId: z.string().nullable(),
  taskId: z.string().nullable(),
  agentId: z.string().nullable(),
  purpose: z.string(),
  createdAt: moment,
  endedAt: moment.nullable(),
})
export type LedgerEntry = z.infer<typeof ledgerEntrySchema>

const params = z.object({ id: z.string().min(1).max(500) })

export const listBudgets = endpoint({
  method: 'GET',
  path: '/api/v1/budgets',
  summary: 'Lists budgets. Without a scope, those of runs and tasks are left out.',
  query: z.object({ scope: budgetScopeSchema.optional(), scopeId: z.string().max(300).optional() }),
  output: z.object({ items: z.array(budgetSchema) }),
})

export const setBudgetSchema = z.object({
  scope: budgetScopeSchema,
  /** Default for the scope `tenant`: the tenant itself. */
  scopeId: z.string().min(1).max(300).optional(),
  unit: budgetUnitSchema,
  window: timeWindowSchema.default('total'),
  /** Null: none. */
  hardLimit: amount.nullable().default(null),
  softLimit: amount.nullable().default(null),
})
export type SetBudget = z.output<typeof setBudgetSchema>

export const setBudget = endpoint({
  method: 'PUT',
  path: '/api/v1/budgets',
  summary: 'Sets the limits of a budget, which begins to count if there was none. Who waits for it tries again.',
  body: setBudgetSchema,
  output: budgetSchema,
  revision: 'rev',
})

export const showBudget = endpoint({
  method: 'GET',
  path: '/api/v1/budgets/:id',
  summary: 'Shows a budget: its windows, what is held and expected, and who waits for it.',
  params,
  output: budgetDetailSchema,
})

export const showLedger = endpoint({
  method: 'GET',
  path: '/api/v1/budgets/:id/ledger',
  summary: 'Lists the latest reservations of a budget. What tasks hold by their leases is in the sums of the budget.',
  params,
  query: z.object({ limit: z.coerce.number().int().min(1).max(1_000).default(50) }),
  output: z.object({ items: z.array(ledgerEntrySchema) }),
})

const tokens = z.int().min(0).max(1_000_000_000)

export const spendingSchema = z.object({
  /** Names this report: sent twice, it counts once. */
  id: z.string().regex(/^[\w.:-]{1,100}$/, 'expected letters, digits and _ . : -'),
  team: z.string().max(300).optional(),
  workflow: z.string().max(300).optional(),
  run: z.string().max(300).optional(),
  task: z.string().max(300).optional(),
  agent: z.string().max(300).optional(),
  model: z.string().max(200).optional(),
  /** Whole micro-dollars. Left out: computed from tokens and model, where the model's price is known. */
  microUsd: z.int().min(0).max(1_000_000_000_000).optional(),
  inputTokens: tokens.optional(),
  outputTokens: tokens.optional(),
  cacheReadTokens: tokens.optional(),
  cacheWriteTokens: tokens.optional(),
  /** The name of the subscription that it draws on. */
  subscription: z.string().max(100).optional(),
  /** Calls of the provider, for subscriptions that count them. Default: one. */
  requests: tokens.optional(),
  /** How much of the window of the subscription is used up, percent, and when it ends, as the provider tells it. */
  subscriptionPercent: z.number().min(0).max(1_000).optional(),
  subscriptionResetsAt: moment.optional(),
})
export type SpendingReport = z.infer<typeof spendingSchema>

export const reportSpendingOf = endpoint({
  method: 'POST',
  path: '/api/v1/spending',
  summary: 'Records what an agent has spent outside our sight. It counts as reported.',
  body: spendingSchema,
  output: z.object({
    /** False: it was on record already. */
    recorded: z.boolean(),
    microUsd: z.int().nullable(),
    tokens: z.int().nullable(),
    /** What it took of its subscription: 1 is a whole window. Null: it named none that there is. */
    subscriptionShare: z.number().nullable(),
  }),
})
