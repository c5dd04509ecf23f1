import fc from 'fast-check'
import { expect, test } from 'vitest'
import { profileOf } from './agent-profile.ts'
import { agent, lane } from './decide.fixture.ts'
import { roomOfLanes } from './lane-room.ts'
import { mayServe } from './placement.ts'

test('is what a look at every agent would find', () => {
  const profiles = [
    profileOf(['a', 'b'], {}),
    profileOf(['a'], { taints: ['t'] }),
    profileOf(['a:3'], { region: 'eu' }),
  ]
  const agents = fc.array(fc.record({ kind: fc.nat(2), slots: fc.nat(5) }))
  const lanes = fc.array(
    fc.record(
      { capabilities: fc.subarray(['a', 'b', 'a:2']), region: fc.constant('eu') },
      { requiredKeys: ['capabilities'] },
    ),
  )
  fc.assert(
    fc.property(agents, lanes, (fleet, wanted) => {
      const list = fleet.map(({ kind, slots }, n) => agent(`x${n}`, slots, 0, [], { ...profiles[kind]! }))
      const of = wanted.map(({ capabilities, ...more }, n) => lane(`l${n}`, [], 5, capabilities, more))
      const rooms = roomOfLanes(list, of, (one) => one.slots - one.used)
      of.forEach((one, n) => {
        const expected = list.filter((each) => mayServe(each, one)).reduce((sum, each) => sum + each.slots, 0)
        expect(rooms[n]!.room).toBe(expected)
        const same = of.filter((_, m) => rooms[m]!.servers === rooms[n]!.servers)
        for (const other of same)
          expect(list.map((each) => mayServe(each, other))).toEqual(list.map((each) => mayServe(each, one)))
      })
    }),
  )
})
