import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type ApprovalStanding, nextMove } from './approval-plan-contract.ts'
import { type ApprovalRules, plainRules } from './approval-rules-contract.ts'
import { isNamed, outcomeOf } from './approval-votes-contract.ts'

const start = Date.UTC(2026, 0, 1)
const at = (ms: number) => new Date(start + ms)

/** What happens to it if nobody ever answers: moves with their times, each at the moment that was told. */
function untilTheEnd(rules: ApprovalRules): { readonly kind: string; readonly ms: number; readonly what: string }[] {
  const moves: { kind: string; ms: number; what: string }[] = []
  let standing: ApprovalStanding = {
    rules,
    createdAt: at(0),
    deadlineAt: rules.deadlineMs === null ? null : at(rules.deadlineMs),
    level: 0,
  }
  let now = at(0)
  for (let step = 0; step < 200; step++) {
    const move = nextMove(standing, now)
    if (move.kind === 'wait') {
      if (move.until === null) return moves
      expect(move.until.getTime()).toBeGreaterThan(now.getTime())
      now = move.until
      continue
    }
    const ms = now.getTime() - start
    if (move.kind === 'expire') return [...moves, { kind: 'expire', ms, what: move.choice ?? move.decision }]
    moves.push({ kind: 'escalate', ms, what: move.to.join(',') })
    standing = { ...standing, level: move.level, deadlineAt: move.deadlineAt }
  }
  throw new Error('it never ends')
}

const rules = (given: Partial<ApprovalRules>): ApprovalRules => ({ ...plainRules, ...given })

test('the deadline gives the answer; without one it waits', () => {
  expect(untilTheEnd(rules({}))).toEqual([])
  expect(untilTheEnd(rules({ deadlineMs: 60, atDeadline: 'approve' }))).toEqual([
    { kind: 'expire', ms: 60, what: 'approve' },
  ])
  const choices = [{ id: 'blue', label: 'Blue' }]
  expect(untilTheEnd(rules({ deadlineMs: 60, atDeadline: 'blue', choices }))).toEqual([
    { kind: 'expire', ms: 60, what: 'blue' },
  ])
})

test('levels come at their times, and at the deadline where it escalates; then it is rejected', () => {
  const escalate = [
    { afterMs: 30, to: ['lead'] },
    { afterMs: null, to: ['boss'] },
  ]
  expect(untilTheEnd(rules({ deadlineMs: 60, atDeadline: 'escalate', escalate }))).toEqual([
    { kind: 'escalate', ms: 30, what: 'lead' },
    { kind: 'escalate', ms: 60, what: 'boss' },
    { kind: 'expire', ms: 120, what: 'reject' },
  ])
  expect(untilTheEnd(rules({ deadlineMs: 20, atDeadline: 'approve', escalate }))).toEqual([
    { kind: 'expire', ms: 20, what: 'approve' },
  ])
})

const someRules = fc
  .record({
    deadlineMs: fc.option(fc.integer({ min: 1, max: 1_000 })),
    atDeadline: fc.constantFrom('approve', 'reject', 'escalate', 'a'),
    escalate: fc.array(
      fc.record({ afterMs: fc.option(fc.integer({ min: 1, max: 2_000 })), to: fc.constant(['x'] as const) }),
      { maxLength: 5 },
    ),
  })
  .map((given) => rules({ ...given, choices: [{ id: 'a', label: 'A' }] }))

describe('whatever the rules say', () => {
  test('with a deadline it ends, with the answer that they name, after each level at most once', () => {
    fc.assert(
      fc.property(someRules, (given) => {
        const moves = untilTheEnd(given)
        const end = moves.at(-1)
        const levels = moves.filter(({ kind }) => kind === 'escalate')
        expect(levels.length).toBeLessThanOrEqual(given.escalate.length)
        expect(moves.map(({ ms }) => ms)).toEqual(moves.map(({ ms }) => ms).toSorted((a, b) => a - b))
        if (given.deadlineMs === null) {
          expect(moves.filter(({ kind }) => kind === 'expire')).toEqual([])
          return
        }
        expect(end).toMatchObject({
          kind: 'expire',
          what: given.atDeadline === 'escalate' ? 'reject' : given.atDeadline,
        })
        expect(end!.ms % given.deadlineMs === 0 || given.atDeadline === 'escalate').toBe(true)
        expect(end!.ms).toBeLessThanOrEqual(2_000 + given.deadlineMs * (given.escalate.length + 1))
      }),
    )
  })

  test('a look that comes late does what was due, and asks no further than it must', () => {
    fc.assert(
      fc.property(someRules, fc.integer({ min: 0, max: 10_000 }), (given, late) => {
        const deadlineAt = given.deadlineMs === null ? null : at(given.deadlineMs)
        const move = nextMove({ rules: given, createdAt: at(0), deadlineAt, level: 0 }, at(late))
        if (move.kind === 'expire') expect(late).toBeGreaterThanOrEqual(given.deadlineMs!)
        if (move.kind === 'wait' && move.until !== null) expect(move.until.getTime() - start).toBeGreaterThan(late)
      }),
    )
  })
})

describe('votes', () => {
  const votes = fc.array(
    fc.record({
      by: fc.constantFrom('a', 'b', 'c', 'd'),
      decision: fc.constantFrom('approve' as const, 'reject' as const),
    }),
  )

  test('nobody counts twice, one who rejects is enough, and more votes never take an end back', () => {
    fc.assert(
      fc.property(votes, fc.integer({ min: 1, max: 4 }), (cast, count) => {
        const outcome = outcomeOf(cast, { count })
        const people = new Set(cast.map(({ by }) => by)).size
        if (cast.some(({ decision }) => decision === 'reject')) expect(outcome).toBe('reject')
        else expect(outcome).toBe(people >= count ? 'approve' : null)
        if (outcome !== null) expect(outcomeOf([...cast, { by: 'e', decision: 'reject' }], { count })).toBe('reject')
      }),
    )
  })

  test.each([
    [[], 'eve', [], true],
    [['ann'], 'ann', [], true],
    [['ann'], 'eve', ['admin'], false],
    [['admin'], 'eve', ['admin'], true],
    [['user:admin'], 'eve', ['admin'], false],
    [['role:admin', 'group:leads'], 'eve', ['leads'], false],
    [['role:ann'], 'ann', [], false],
  ] as const)('of %j %s with the roles %j may answer: %s', (who, by, roles, may) => {
    expect(isNamed(who, { by, roles })).toBe(may)
  })

  test.each([
    [['group:leads'], { groups: ['leads'] }, true],
    [['leads'], { groups: ['leads'] }, true],
    [['role:leads'], { groups: ['leads'] }, false],
    [['group:admin'], { roles: ['admin'] }, false],
    [['eve@house.example'], { names: ['eve@house.example'] }, true],
    [['user:eve@house.example'], { names: ['eve@house.example'] }, true],
    [['group:eve@house.example'], { names: ['eve@house.example'] }, false],
  ] as const)('of %j somebody known as %j may answer: %s', (who, known, may) => {
    expect(isNamed(who, { by: 'mem_1', ...known })).toBe(may)
  })
})
