import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Ask, admit } from './admit.ts'

const accounts = (rooms: Readonly<Record<string, number | null>>) =>
  new Map(Object.entries(rooms).map(([id, room]) => [id, { id, room }]))
const ask = (hold: number, more: Partial<Ask> & { least?: number; of?: readonly string[] } = {}): Ask => {
  const { least = hold, of = ['root'], ...rest } = more
  return { priority: 5, expected: hold, units: [{ hold, least, accounts: of }], ...rest }
}

describe('admission', () => {
  test('by priority, then the smaller expectation, then arrival', () => {
    const asks = [ask(60), ask(60, { expected: 1 }), ask(60, { priority: 9 })]
    expect(admit(asks, accounts({ root: 120 })).map((verdict) => verdict.kind)).toEqual([
      'refused',
      'granted',
      'granted',
    ])
  })

  test('who does not fit does not stop those behind', () => {
    const verdicts = admit([ask(500, { priority: 9 }), ask(10), ask(10)], accounts({ root: 25 }))
    expect(verdicts.map((verdict) => verdict.kind)).toEqual(['refused', 'granted', 'granted'])
  })

  test('the tightest budget decides, and is named', () => {
    expect(admit([ask(10, { of: ['root', 'run'] })], accounts({ root: 100, run: 9 }))).toEqual([
      { kind: 'refused', budget: 'run' },
    ])
    expect(admit([ask(10, { least: 3, of: ['root', 'run'] })], accounts({ root: 100, run: 9 }))).toEqual([
      { kind: 'granted', amounts: [9] },
    ])
    expect(admit([ask(10)], accounts({ root: null }))).toEqual([{ kind: 'granted', amounts: [10] }])
  })

  test('of an exhausted budget not even nothing is admitted', () => {
    expect(admit([ask(0)], accounts({ root: 0 }))).toEqual([{ kind: 'refused', budget: 'root' }])
    expect(admit([ask(0)], accounts({ root: 1 }))).toEqual([{ kind: 'granted', amounts: [0] }])
  })

  test('never beyond a limit, and never less than the least', () => {
    const asked = fc.record({
      hold: fc.nat(50),
      least: fc.nat(50),
      priority: fc.nat(9),
      of: fc.subarray(['root', 'run', 'task'], { minLength: 1 }),
      kept: fc.nat(20),
    })
    fc.assert(
      fc.property(
        fc.array(asked),
        fc.record({ root: fc.nat(200), run: fc.nat(100), task: fc.nat(60) }),
        (list, rooms) => {
          const asks = list.map(({ hold, least, priority, of, kept }) => {
            const credit = new Map(of.map((id) => [id, kept]))
            return ask(hold, { least: Math.min(hold, least), priority, of, credit })
          })
          const left: Record<string, number> = { ...rooms }
          admit(asks, accounts(rooms)).forEach((verdict, n) => {
            if (verdict.kind === 'refused') return
            const [unit] = asks[n]!.units
            expect(verdict.amounts[0]).toBeGreaterThanOrEqual(unit!.least)
            expect(verdict.amounts[0]).toBeLessThanOrEqual(unit!.hold)
            for (const id of unit!.accounts) left[id] = left[id]! + asks[n]!.credit!.get(id)! - verdict.amounts[0]!
          })
          // What extensions held before is not in the rooms: with all of it given back nothing is below 0.
          for (const room of Object.values(left)) expect(room).toBeGreaterThanOrEqual(0)
        },
      ),
    )
  })
})
