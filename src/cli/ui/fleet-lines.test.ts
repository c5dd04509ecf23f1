import picocolors from 'picocolors'
import { expect, test } from 'vitest'
import type { FindingView } from '../../orchestration/liveness/liveness-contract.ts'
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
const finding = { id: 'fnd_1', detector: 'no_progress', explanation: 'work has \u001b[2Jstopped' } as FindingView

test('sizes, the next schedules and what waits for an answer', () => {
  const schedules = [schedule('b', '2026-02-01T00:00:00Z'), schedule('a', '2026-01-01T00:00:00Z'), schedule('c', null)]
  expect(fleetLines({ pools: [pool], schedules, findings: [finding] }, colors)).toEqual([
    'pools      local: to be 4 and 1 warm, there are 3 healthy, 1 starting',
    'schedules  3 schedules, next a at 2026-01-01T00:00:00Z, b at 2026-02-01T00:00:00Z',
    'findings   no_progress fnd_1: work has \\x1b[2Jstopped',
  ])
})

test('nothing where there is nothing of it', () => {
  expect(fleetLines({ pools: [{ ...pool, desired: null }], schedules: [], findings: [] }, colors)).toEqual([])
})
