import type { PoolView } from '../../orchestration/agents/pools-contract.ts'
import type { BudgetView } from '../../orchestration/budgets/budgets-contract.ts'
import type { FindingView } from '../../orchestration/liveness/liveness-contract.ts'
import type { QuotaView } from '../../orchestration/quotas/quotas-contract.ts'
import type { QueueView } from '../../orchestration/runs/queue-contract.ts'
import type { ScalingExplanation } from '../../orchestration/scaling/scaling-contract.ts'
import type { ScheduleView } from '../../orchestration/schedules/schedules-contract.ts'
import { amountText } from '../amount-text.ts'
import type { Colors } from '../output.ts'
import { oneLine, plural, table } from '../text.ts'
import { agentCounts } from './agent-counts.ts'

export interface Fleet {
  readonly pools: readonly PoolView[]
  readonly schedules: readonly ScheduleView[]
  /** What waiting tasks wait for, and what ready ones lack. */
  readonly waits: Pick<QueueView, 'reasons' | 'unserved'>
  /** The last look of each policy. */
  readonly scaling: readonly ScalingExplanation[]
  readonly budgets: readonly BudgetView[]
  readonly quotas: readonly QuotaView[]
  /** Those that wait for an answer. */
  readonly findings: readonly FindingView[]
}

/** Of each kind, as many as a screen has room for. */
const mostLines = 5

/** What waits, sizes of pools, budgets, accounts, schedules and what waits for an answer, as far as there is any of it. */
export function fleetLines(fleet: Fleet, colors: Colors): string[] {
  const { pools, schedules, findings, waits, scaling, budgets, quotas } = fleet
  const sized = pools.filter((pool) => pool.desired !== null)
  const rows: string[][] = []
  const add = (name: string, texts: readonly string[]) =>
    rows.push(...texts.map((text, n) => [n === 0 ? colors.dim(name) : '', text]))
  add('waiting', [...waits.reasons, ...waits.unserved].slice(0, mostLines).map(waitText))
  add('pools', sized.map(poolText))
  add('scaling', scaling.slice(0, mostLines).map(scalingText))
  add('budgets', fullest(budgets).map(budgetText))
  add('quotas', quotas.filter(isInUse).slice(0, mostLines).map(quotaText))
  if (schedules.length > 0) add('schedules', [schedulesText(schedules)])
  add(
    'findings',
    findings.map((one) => `${colors.yellow(one.detector)} ${one.id}: ${oneLine(one.explanation, 120)}`),
  )
  return table(rows)
}

function waitText({ pool, reason, count }: QueueView['reasons'][number]): string {
  return `${oneLine(pool, 40)}: ${count}, ${oneLine(reason, 120)}`
}

function scalingText({ pool, strategy, outcome, from, to, reason }: ScalingExplanation): string {
  const change = outcome === 'none' ? `stays at ${from}` : `${from} to ${to}`
  return `${oneLine(pool, 40)}: ${strategy}, ${change}: ${oneLine(reason, 100)}`
}

/** Those nearest to their limits; of budgets for each run only the pattern is a budget of its own. */
function fullest(budgets: readonly BudgetView[]): readonly BudgetView[] {
  const share = ({ spent, held, hardLimit }: BudgetView) => (hardLimit ? (spent + held) / hardLimit : 1)
  return budgets
    .filter(({ hardLimit, origin }) => hardLimit !== null && origin === null)
    .sort((a, b) => share(b) - share(a))
    .slice(0, mostLines)
}

function budgetText(budget: BudgetView): string {
  const { id, spent, held, hardLimit } = budget
  const holds = held > 0 ? `, ${amountText(budget, held)} held` : ''
  return `${oneLine(id, 60)}: ${amountText(budget, spent)} of ${amountText(budget, hardLimit!)} spent${holds}`
}

function isInUse({ processes, inFlight, waiting, blockedUntil }: QuotaView): boolean {
  return processes + inFlight + waiting > 0 || blockedUntil !== null
}

function quotaText({ account, inFlight, waiting, pace, blockedUntil }: QuotaView): string {
  const { requestsPerMinute, tokensPerMinute, concurrent } = pace
  const paces: [number | null, string][] = [
    [requestsPerMinute, 'requests a minute'],
    [tokensPerMinute, 'tokens a minute'],
    [concurrent, 'at a time'],
  ]
  const known = paces.flatMap(([value, unit]) => (value === null ? [] : [`${Math.round(value)} ${unit}`]))
  const parts = [`${inFlight} under way`, `${waiting} wait`, ...known]
  if (blockedUntil !== null) parts.push(`refused until ${blockedUntil}`)
  return `${oneLine(account, 40)}: ${parts.join(', ')}`
}

function poolText({ name, desired, warm, byState }: PoolView): string {
  const waiting = warm > 0 ? ` and ${warm} warm` : ''
  return `${oneLine(name, 40)}: to be ${desired}${waiting}, there are ${agentCounts(byState)}`
}

function schedulesText(schedules: readonly ScheduleView[]): string {
  const next = schedules
    .filter((one) => one.nextAt !== null)
    .sort((a, b) => (a.nextAt! < b.nextAt! ? -1 : 1))
    .slice(0, 3)
    .map((one) => `${oneLine(one.name, 40)} at ${one.nextAt}`)
  return `${plural(schedules.length, 'schedule')}${next.length === 0 ? '' : `, next ${next.join(', ')}`}`
}
