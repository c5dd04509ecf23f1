import picocolors from 'picocolors'
import { expect, test } from 'vitest'
import type { BudgetView } from '../../orchestration/budgets/budgets-contract.ts'
import type { FindingView } from '../../orchestration/liveness/liveness-contract.ts'
import type { QuotaView } from '../../orchestration/quotas/quotas-contract.ts'
import type { ScalingExplanation } from '../../orchestration/scaling/scaling-contract.ts'
import type { ScheduleView } from '../../orchestration/schedules/schedules-contract.ts'
import { fleetLines } from './fleet-lines.ts'

const colors = picocolors.createColors(false)
const pool = {
  name: 'local',
  strategy: 'round_robin',
  desired: 4,
  warm: 1,
  byState: { healthy: 3, starting: 1 },
  slots: 4,
  used: 2,
}
const schedule = (name: string, nextAt: string | null) => ({ name, nextAt }) as ScheduleView
const none = { waits: { reasons: [], unserved: [] }, scaling: [], budgets: [], quotas: [] }
const budget = (id: string, spent: number, hardLimit: number | null, more: Partial<BudgetView> = {}) =>
  ({ id, unit: 'micro-usd', spent, held: 0, hardLimit, origin: null, ...more }) as BudgetView
const pace = { requestsPerMinute: 49.6, tokensPerMinute: null, concurrent: 8 }
const quota = (account: string, more: Partial<QuotaView>) =>
  ({ account, pace, processes: 0, inFlight: 0, waiting: 0, blockedUntil: null, ...more }) as QuotaView
const finding = { id: 'fnd_1', detector: 'no_progress', explanation: 'work has \u001b[2Jstopped' } as FindingView

test('sizes, the next schedules and what waits for an answer', () => {
  const schedules = [schedule('b', '2026-02-01T00:00:00Z'), schedule('a', '2026-01-01T00:00:00Z'), schedule('c', null)]
  expect(fleetLines({ ...none, pools: [pool], schedules, findings: [finding] }, colors)).toEqual([
    'pools      local: to be 4 and 1 warm, there are 3 healthy, 1 starting',
    'schedules  3 schedules, next a at 2026-01-01T00:00:00Z, b at 2026-02-01T00:00:00Z',
    'findings   no_progress fnd_1: work has \\x1b[2Jstopped',
  ])
})

test('nothing where there is nothing of it', () => {
  expect(fleetLines({ ...none, pools: [{ ...pool, desired: null }], schedules: [], findings: [] }, colors)).toEqual([])
})

test('what waits and why, why sizes are what they are, the fullest budgets, and accounts in use', () => {
  const look = { pool: 'local', strategy: 'step', outcome: 'none', from: 4, to: 4, reason: 'cool-down: 5.0s left' }
  const fleet = {
    ...{ pools: [], schedules: [], findings: [] },
    waits: {
      reasons: [{ pool: 'local', reason: 'budget:tenant:default:micro-usd:day', count: 7 }],
      unserved: [{ pool: 'shell', reason: 'no agent of the pool shell offers review:9', count: 2 }],
    },
    scaling: [look as ScalingExplanation],
    budgets: [
      budget('tenant:default:micro-usd:day', 40_000_000, 50_000_000, { held: 5_000_000 }),
      budget('team:core:tokens', 100, null),
      budget('run:run_1:micro-usd', 9, 10, { origin: 'workflow:x:micro-usd:run' }),
      budget('team:core:subscription-ppm:5h', 0.79, 0.8, { unit: 'subscription-share' }),
    ],
    quotas: [
      quota('idle', {}),
      quota('work', { processes: 2, inFlight: 3, waiting: 1, blockedUntil: '2026-01-01T00:00:00Z' }),
    ],
  }
  expect(fleetLines(fleet, colors)).toEqual([
    'waiting  local: 7, budget:tenant:default:micro-usd:day',
    '         shell: 2, no agent of the pool shell offers review:9',
    'scaling  local: step, stays at 4: cool-down: 5.0s left',
    'budgets  team:core:subscription-ppm:5h: 79.00 % of 80.00 % spent',
    '         tenant:default:micro-usd:day: $40.00 of $50.00 spent, $5.00 held',
    'quotas   work: 3 under way, 1 wait, 50 requests a minute, 8 at a time, refused until 2026-01-01T00:00:00Z',
  ])
})
