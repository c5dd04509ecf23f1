import { expect, test } from 'vitest'
import { statesAccepting, transition } from '../../foundation/kernel/state-table.ts'
import { budgetUnitNames, fromLedger, toLedger, unitOfLedger, unitTable } from './budget-units-contract.ts'
import { isTimeWindow, windowAt } from './budget-windows-contract.ts'
import { reservationStates } from './reservation-states-contract.ts'

const now = new Date('2026-12-31T23:59:59.999Z')

test('windows of the calendar are half open and in UTC', () => {
  expect(windowAt('day', now)).toEqual({ start: new Date('2026-12-31'), end: new Date('2027-01-01') })
  expect(windowAt('month', now)).toEqual({ start: new Date('2026-12-01'), end: new Date('2027-01-01') })
  expect(windowAt('day', new Date('2027-01-01'))?.start).toEqual(new Date('2027-01-01'))
  expect(windowAt('total', now)).toBe(null)
  expect(windowAt('run', now)).toBe(null)
})

test('a window of hours begins when it is asked for', () => {
  expect(windowAt('5h', now)).toEqual({ start: now, end: new Date(now.getTime() + 18_000_000) })
})

test.each(['total', 'run', 'day', 'month', '5h', '90m', '7d'])('%s is a window', (text) => {
  expect(isTimeWindow(text)).toBe(true)
})

test.each(['', 'week', '5', '0h', '-1h', '5h30m', '1.5h'])('%s is none', (text) => {
  expect(isTimeWindow(text)).toBe(false)
})

test('units go to the ledger and back', () => {
  for (const unit of budgetUnitNames) {
    expect(unitOfLedger(unitTable[unit].ledger)).toBe(unit)
    expect(fromLedger(unit, toLedger(unit, 0.25 * unitTable[unit].factor * 4))).toBe(unitTable[unit].factor)
  }
  expect(() => unitOfLedger('smiles')).toThrow('no unit smiles')
})

test('what has ended is only ever settled, by whoever knows better', () => {
  expect(statesAccepting(reservationStates, 'settle')).toEqual(['held', 'expired', 'released'])
  expect(statesAccepting(reservationStates, 'extend')).toEqual(['held'])
  for (const event of ['hold', 'extend', 'settle', 'expire', 'release', 'refuse'] as const) {
    expect(() => transition(reservationStates, 'reservation x', 'settled', event)).toThrow('reservation x is settled')
  }
})
