import { expect, test } from 'vitest'
import { describeHeldEvents } from './held-events.ts'

const now = new Date('2026-03-10T12:00:00Z')
const cursor = (name: string, movedAt: string) => ({ name, movedAt: new Date(movedAt) })

test('each cursor is told once, with its age and the oldest day it keeps', () => {
  const slow = cursor('slow', '2026-03-10T09:30:00Z')
  const gone = cursor('gone', '2026-01-01T12:00:00Z')
  const held = [
    { day: '2026-02-02', cursors: [slow, gone] },
    { day: '2026-01-02', cursors: [gone] },
  ]
  const told = describeHeldEvents(held, now)
  expect(told.map(({ fields }) => fields)).toEqual([
    { cursor: 'gone', idleMs: 68 * 86_400_000, oldestDay: '2026-01-02', days: 2 },
    { cursor: 'slow', idleMs: 9_000_000, oldestDay: '2026-02-02', days: 1 },
  ])
  expect(told[0]?.message).toMatch(/since 2026-01-02 .* gone .* 1632h 0m ago/)
  expect(describeHeldEvents([], now)).toEqual([])
})
