import type { AppError } from '../../foundation/kernel/errors.ts'
import {
  type BudgetView,
  budgetScopeSchema,
  budgetUnitSchema,
  type LedgerEntry,
  listBudgets,
  setBudget,
  type setBudgetSchema,
  showBudget,
  showLedger,
} from '../../orchestration/budgets/budgets-contract.ts'
import { amountText } from '../amount-text.ts'
import { cliErrors } from '../cli-errors.ts'
import type { CliCommand, CliContext } from '../command.ts'
import { withConnection } from '../connect.ts'
import { oneLine, table } from '../text.ts'

export const budgets: CliCommand = {
  configure(command, act) {
    command
      .command('list', { isDefault: true })
      .description('list budgets; without --scope those of runs and tasks are left out')
      .option('--scope <scope>', `one of ${budgetScopeSchema.options.join(', ')}`)
      .option('--name <name>', 'of whom or what, for example the id of a run')
      .action(act(list))
    command
      .command('set')
      .description('set the limits of a budget: budgets set tenant usd=50 --window day --soft 40')
      .argument('<whose>', 'tenant, team:NAME, workflow:NAME, run:ID, task:ID or agent:ID')
      .argument(
        '<limit>',
        'UNIT=AMOUNT or UNIT=none; usd, tokens, runs, cpu-seconds, wall-seconds, subscription-share, agents',
      )
      .option('--window <window>', 'total, run (for each run by itself), day, month, or a time such as 5h', 'total')
      .option('--soft <amount>', 'tell when so much is spent')
      .action(act(set))
    command.command('show').description('show a budget').argument('<id>').action(act(show))
    command
      .command('ledger')
      .description('list the latest reservations of a budget')
      .argument('<id>')
      .option('--limit <n>', 'how many', '50')
      .action(act(ledger))
  },
}

async function list(context: CliContext, { scope, name }: { scope?: string; name?: string }): Promise<void> {
  const wanted = scope === undefined ? undefined : scopeOf(scope)
  const query = { ...(wanted === undefined ? {} : { scope: wanted }), ...(name === undefined ? {} : { scopeId: name }) }
  await withConnection(context, { work: false }, async ({ client }) => {
    const { items } = await client.call(listBudgets, { query })
    for (const item of items) context.out.document(item)
    if (items.length === 0) context.out.note('there are no budgets; set one with `leanvibe budgets set tenant usd=50`')
    else context.out.lines(...table(items.map(cells)))
  })
}

async function set(
  context: CliContext,
  whose: string,
  limit: string,
  { window, soft }: { window: string; soft?: string },
): Promise<void> {
  const [scope, ...rest] = whose.split(':')
  const [unitText = '', amountText = ''] = limit.split('=')
  const isUsd = unitText === 'usd'
  const unit = budgetUnitSchema.safeParse(isUsd ? 'micro-usd' : unitText)
  if (!unit.success)
    throw badUse(`${limit}: expected usd or one of ${budgetUnitSchema.options.join(', ')}, and =AMOUNT`)
  const body = {
    scope: scopeOf(scope!),
    ...(rest.length === 0 ? {} : { scopeId: rest.join(':') }),
    ...{ unit: unit.data, window: window as ReturnType<typeof setBudgetSchema.parse>['window'] },
    hardLimit: amountText === 'none' ? null : amountOf(amountText, isUsd),
    softLimit: soft === undefined ? null : amountOf(soft, isUsd),
  }
  await withConnection(context, { work: false }, async ({ client }) => {
    const budget = await client.call(setBudget, { body })
    context.out.document(budget)
    context.out.lines(...table([cells(budget)]))
  })
}

async function show(context: CliContext, id: string): Promise<void> {
  await withConnection(context, { work: false }, async ({ client }) => {
    const budget = await client.call(showBudget, { params: { id } })
    const { out } = context
    out.document(budget)
    const amount = (value: number) => amountText(budget, value)
    const { byEnforcement: by, waiting } = budget
    out.lines(
      ...table([cells(budget)]),
      '',
      ...table([
        ['spent', `metered ${amount(by.metered)}`, `capped ${amount(by.capped)}`, `reported ${amount(by.reported)}`],
        ['held', amount(budget.held), `expected ${amount(budget.expected)}`, `${budget.reservations} reservations`],
        ['waiting', `${waiting.tasks} tasks`, `${waiting.reservations} reservations`, ''],
        [
          'soft limit',
          budget.softLimit === null ? 'none' : amount(budget.softLimit),
          `reached ${budget.softReachedAt ?? 'never'}`,
          '',
        ],
      ]),
    )
    for (const { name, window, usedShare, windowEnd } of budget.subscriptions) {
      const until = usedShare === 0 || windowEnd === null ? '' : `, until ${windowEnd}`
      out.lines(`subscription ${name}: ${amount(usedShare)} of its ${window} used${until}`)
    }
    for (const { windowStart, spent, held } of budget.windows) {
      out.lines(`window of ${windowStart}: spent ${amount(spent)}, still held ${amount(held)}`)
    }
  })
}

async function ledger(context: CliContext, id: string, { limit }: { limit: string }): Promise<void> {
  await withConnection(context, { work: false }, async ({ client }) => {
    const budget = await client.call(showBudget, { params: { id } })
    const { items } = await client.call(showLedger, { params: { id }, query: { limit: Number(limit) } })
    for (const item of items) context.out.document(item)
    if (items.length === 0) context.out.note('nothing was reserved of it yet')
    else context.out.lines(...table(items.map((item) => entryCells(budget, item))))
  })
}

function cells(budget: BudgetView): string[] {
  const { id, hardLimit, windowEnd, window } = budget
  return [
    id,
    hardLimit === null ? 'no limit' : `of ${amountText(budget, hardLimit)}`,
    `spent ${amountText(budget, budget.spent)}`,
    `held ${amountText(budget, budget.held)}`,
    budget.left === null ? '' : `left ${amountText(budget, budget.left)}`,
    windowEnd === null ? window : `${window} until ${windowEnd}`,
  ]
}

function entryCells(budget: BudgetView, entry: LedgerEntry): string[] {
  return [
    entry.createdAt,
    entry.state,
    entry.enforcement,
    `held ${amountText(budget, entry.held)}`,
    `spent ${amountText(budget, entry.spent)}`,
    entry.taskId ?? entry.runId ?? entry.agentId ?? '',
    oneLine(entry.purpose, 40),
  ]
}

function scopeOf(text: string) {
  const scope = budgetScopeSchema.safeParse(text)
  if (scope.success) return scope.data
  throw badUse(`${text}: expected one of ${budgetScopeSchema.options.join(', ')}`)
}

function amountOf(text: string, isUsd: boolean): number {
  const amount = Number(text)
  if (text === '' || !Number.isFinite(amount) || amount < 0)
    throw badUse(`${text || 'nothing'}: expected an amount from 0 on, or none`)
  return isUsd ? Math.round(amount * 1_000_000) : amount
}

function badUse(message: string): AppError {
  return cliErrors.usage(message)
}
