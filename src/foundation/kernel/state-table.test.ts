import { expect, test } from 'vitest'
import { isAppError } from './errors.ts'
import { type StateTable, statesAccepting, transition } from './state-table.ts'

const door: StateTable<'open' | 'shut' | 'locked', 'shut' | 'open' | 'lock'> = {
  open: { shut: 'shut', open: null, lock: null },
  shut: { shut: null, open: 'open', lock: 'locked' },
  locked: { shut: null, open: null, lock: null },
}

test('a legal event gives the next state', () => {
  expect(transition(door, 'the door', 'open', 'shut')).toBe('shut')
  expect(transition(door, 'the door', 'shut', 'lock')).toBe('locked')
})

test('an illegal one is refused by subject, state and event', () => {
  let caught: unknown
  try {
    transition(door, 'the door', 'locked', 'open')
  } catch (error) {
    caught = error
  }
  expect(isAppError(caught, 'illegal-transition')).toBe(true)
  expect(caught).toMatchObject({
    kind: 'conflict',
    retry: 'never',
    message: 'the door is locked: open does not apply',
    details: { state: 'locked', event: 'open' },
  })
})

test('the states that accept an event', () => {
  expect(statesAccepting(door, 'open')).toEqual(['shut'])
  expect(statesAccepting(door, 'shut')).toEqual(['open'])
  expect(statesAccepting({ ...door, shut: { ...door.shut, lock: null } }, 'lock')).toEqual([])
})
