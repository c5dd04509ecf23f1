import type { PoolView } from '../../orchestration/agents/pools-contract.ts'
import type { FindingView } from '../../orchestration/liveness/liveness-contract.ts'
import type { ScheduleView } from '../../orchestration/schedules/schedules-contract.ts'
import type { Colors } from '../output.ts'
import { oneLine, plural, table } from '../text.ts'

export interface Fleet {
  readonly pools: readonly PoolView[]
  readonly schedules: readonly ScheduleView[]
  /** Those that wait for an answer. */
  readonly findings: readonly FindingView[]
}

/** Sizes of pools, the next schedules and what waits for an answer, as far as there is any of it. */
export function fleetLines({ pools, schedules, findings }: Fleet, colors: Colors): string[] {
  const sized = pools.filter((pool) => pool.desired !== null)
  const rows: string[][] = []
  const add = (name: string, texts: readonly string[]) =>
    rows.push(...texts.map((text, n) => [n === 0 ? colors.dim(name) : '', text]))
  add('pools', sized.map(poolText))
  if (schedules.length > 0) add('schedules', [schedulesText(schedules)])
  add(
    'findings',
    findings.map((one) => `${colors.yellow(one.detector)} ${one.id}: ${oneLine(one.explanation, 120)}`),
  )
  return table(rows)
}

function poolText({ name, desired, warm, byState }: PoolView): string {
  const states = Object.entries(byState).map(([state, count]) => `${count} ${state}`)
  const waiting = warm > 0 ? ` and ${warm} warm` : ''
  return `${oneLine(name, 40)}: to be ${desired}${waiting}, there are ${states.join(', ') || 'none'}`
}

function schedulesText(schedules: readonly ScheduleView[]): string {
  const next = schedules
    .filter((one) => one.nextAt !== null)
    .sort((a, b) => (a.nextAt! < b.nextAt! ? -1 : 1))
    .slice(0, 3)
    .map((one) => `${oneLine(one.name, 40)} at ${one.nextAt}`)
  return `${plural(schedules.length, 'schedule')}${next.length === 0 ? '' : `, next ${next.join(', ')}`}`
}
