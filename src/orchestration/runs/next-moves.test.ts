import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  nextMoves,
  type RunOutcome,
  type RunSituation,
  type StepNode,
  type StepStatus,
  stepStateOf,
} from './next-moves.ts'
import { isTaskEnded, type TaskState } from './states-contract.ts'

function node(id: string, needs: readonly string[] = [], more: Partial<StepNode> = {}): StepNode {
  return { id, needs, isFinally: false, allowFailure: false, ...more }
}

function last(id: string, needs: readonly string[] = [], more: Partial<StepNode> = {}): StepNode {
  return node(id, needs, { isFinally: true, ...more })
}

/** `a:succeeded b:skipped* c:running`; the star: by its own condition. */
function moves(steps: readonly StepNode[], states = '', more: Partial<RunSituation> = {}) {
  const status = new Map(
    states.split(' ').flatMap((text): [string, StepStatus][] => {
      const [id, state] = text.split(':')
      return state === undefined
        ? []
        : [[id!, { state: state.replace('*', '') as TaskState, byCondition: state.endsWith('*') }]]
    }),
  )
  const situation = { steps, status, cancelRequested: false, timedOut: false, outcome: null, ...more }
  return nextMoves(situation).map((move) =>
    move.kind === 'skip'
      ? `skip ${move.step}: ${move.reason}`
      : `${move.kind} ${'step' in move ? move.step : move.outcome}`,
  )
}

describe('what a run does next', () => {
  const diamond = [node('a'), node('b', ['a']), node('c', ['a']), node('d', ['b', 'c'])]

  test.each([
    ['', ['activate a']],
    ['a:running', []],
    ['a:waiting', []],
    ['a:ready', []],
    ['a:succeeded', ['activate b', 'activate c']],
    ['a:succeeded b:running', ['activate c']],
    ['a:succeeded b:succeeded c:running', []],
    ['a:succeeded b:succeeded c:succeeded', ['activate d']],
    ['a:succeeded b:skipped* c:succeeded', ['activate d']],
    ['a:failed', ['skip b: needs a, which failed', 'skip c: needs a, which failed']],
    ['a:timed-out b:skipped', ['skip c: needs a, which timed out']],
    ['a:cancelled b:skipped', ['skip c: needs a, which was cancelled']],
    ['a:failed b:skipped c:skipped', ['skip d: needs b, which was skipped']],
    ['a:succeeded b:failed c:running', []],
    ['a:succeeded b:failed c:succeeded', ['skip d: needs b, which failed']],
  ])('of a diamond after "%s": %j', (states, expected) => {
    expect(moves(diamond, states)).toEqual(expected)
  })

  test.each(['failed', 'timed-out'])('a step that may fail and was %s does not stop those who need it', (state) => {
    const steps = [node('a', [], { allowFailure: true }), node('b', ['a'])]
    expect(moves(steps, `a:${state}`)).toEqual(['activate b'])
    expect(moves(steps, `a:${state} b:succeeded`)).toEqual(['conclude succeeded'])
  })

  test('one that was cancelled or skipped for a need stops them, even if it may fail', () => {
    const steps = [node('a', [], { allowFailure: true }), node('b', ['a'])]
    expect(moves(steps, 'a:cancelled')).toEqual(['skip b: needs a, which was cancelled'])
    expect(moves(steps, 'a:skipped')).toEqual(['skip b: needs a, which was skipped'])
  })

  test.each<[string, RunOutcome]>([
    ['a:succeeded b:succeeded', 'succeeded'],
    ['a:succeeded b:skipped*', 'succeeded'],
    ['a:failed b:succeeded', 'failed'],
    ['a:timed-out b:succeeded', 'failed'],
    ['a:cancelled b:succeeded', 'cancelled'],
    ['a:cancelled b:failed', 'failed'],
    ['a:succeeded b:skipped', 'failed'],
    ['a:cancelled b:skipped', 'cancelled'],
  ])('of "%s" the outcome is %s', (states, outcome) => {
    expect(moves([node('a'), node('b')], states)).toEqual([`conclude ${outcome}`])
  })

  test('nothing is concluded while a step is open, nor ended while a finally step is', () => {
    expect(moves([node('a'), node('b')], 'a:failed b:running')).toEqual([])
    expect(moves([node('a'), last('z')], 'a:failed z:running', { outcome: 'failed' })).toEqual([])
  })

  test('finally steps wait for the outcome, and then run whatever it is', () => {
    const steps = [node('a'), last('y'), last('z', ['y'])]
    expect(moves(steps, 'a:running')).toEqual([])
    expect(moves(steps, 'a:failed')).toEqual(['conclude failed'])
    for (const outcome of ['succeeded', 'failed', 'cancelled'] as const) {
      expect(moves(steps, 'a:failed', { outcome, cancelRequested: true })).toEqual(['activate y'])
      expect(moves(steps, 'a:failed y:succeeded', { outcome })).toEqual(['activate z'])
      expect(moves(steps, 'a:failed y:failed', { outcome })).toEqual(['skip z: needs y, which failed'])
    }
  })

  test('a failed finally step fails a run that had succeeded, and changes no other outcome', () => {
    const steps = [node('a'), last('z')]
    const end = (outcome: RunOutcome, state: string) => moves(steps, `a:succeeded z:${state}`, { outcome })
    expect(end('succeeded', 'succeeded')).toEqual(['end succeeded'])
    expect(end('succeeded', 'failed')).toEqual(['end failed'])
    expect(end('succeeded', 'cancelled')).toEqual(['end cancelled'])
    expect(end('cancelled', 'failed')).toEqual(['end cancelled'])
    expect(end('failed', 'succeeded')).toEqual(['end failed'])
  })

  test('a run without steps has succeeded', () => {
    expect(moves([])).toEqual(['conclude succeeded'])
    expect(moves([], '', { outcome: 'succeeded' })).toEqual(['end succeeded'])
  })

  test('a cancelled run skips what has not begun, waits for the rest, and is cancelled whatever that came to', () => {
    const cancel = { cancelRequested: true }
    expect(moves(diamond, 'a:succeeded b:running', cancel)).toEqual([
      'skip c: the run was cancelled',
      'skip d: the run was cancelled',
    ])
    expect(moves(diamond, 'a:succeeded b:running c:skipped d:skipped', cancel)).toEqual([])
    const ended = 'a:succeeded b:failed c:skipped d:skipped'
    expect(moves(diamond, ended, cancel)).toEqual(['conclude cancelled'])
    expect(moves(diamond, ended, { ...cancel, timedOut: true })).toEqual(['conclude failed'])
  })
})

test.each([
  [{ total: 1, failed: 0, cancelled: 0, tolerate: 0 }, 'succeeded'],
  [{ total: 1, failed: 1, cancelled: 0, tolerate: 0 }, 'failed'],
  [{ total: 5, failed: 2, cancelled: 0, tolerate: 2 }, 'succeeded'],
  [{ total: 5, failed: 3, cancelled: 0, tolerate: 2 }, 'failed'],
  [{ total: 5, failed: 2, cancelled: 1, tolerate: 2 }, 'cancelled'],
  [{ total: 5, failed: 3, cancelled: 1, tolerate: 2 }, 'failed'],
] as const)('tasks of %j make a step that has %s', (counts, state) => {
  expect(stepStateOf(counts)).toBe(state)
})

/** Steps, each of which needs some of those before it in its group. */
const graphs = fc
  .array(
    fc.record({
      needs: fc.array(fc.nat(), { maxLength: 3 }),
      isFinally: fc.boolean(),
      allowFailure: fc.boolean(),
    }),
    { maxLength: 10 },
  )
  .map((drafts) =>
    drafts.map(({ needs, ...rest }, index): StepNode => {
      const before = drafts.slice(0, index).flatMap((draft, n) => (draft.isFinally === rest.isFinally ? [`s${n}`] : []))
      const ids = before.length === 0 ? [] : [...new Set(needs.map((need) => before[need % before.length]!))]
      return { id: `s${index}`, needs: ids, ...rest }
    }),
  )

const ends: readonly (TaskState | 'skipped*')[] = [
  'succeeded',
  'succeeded',
  'failed',
  'timed-out',
  'cancelled',
  'skipped*',
]

test('whatever the graph and the outcomes: a run ends, once, with all its steps, in the order of their needs', () => {
  fc.assert(
    fc.property(
      graphs,
      fc.infiniteStream(fc.record({ end: fc.constantFrom(...ends), at: fc.nat(), atOnce: fc.boolean() })),
      fc.nat({ max: 40 }),
      (steps, luck, cancelAt) => {
        const status = new Map<string, StepStatus>()
        const nodes = new Map(steps.map((step) => [step.id, step]))
        const running: string[] = []
        let outcome: RunOutcome | null = null
        let ended = false
        const end = (id: string) => {
          const state = luck.next().value.end
          status.set(id, { state: state.replace('*', '') as TaskState, byCondition: state.endsWith('*') })
        }
        for (let round = 0; !ended; round++) {
          expect(round).toBeLessThan(100)
          const cancelRequested = round >= cancelAt
          const found = nextMoves({ steps, status, cancelRequested, timedOut: false, outcome })
          if (found.length === 0) {
            expect(running.length).toBeGreaterThan(0)
            end(running.splice(luck.next().value.at % running.length, 1)[0]!)
            continue
          }
          for (const move of found) {
            if (move.kind === 'conclude') {
              expect(outcome).toBe(null)
              outcome = move.outcome
            } else if (move.kind === 'end') {
              ended = true
            } else {
              const step = nodes.get(move.step)!
              expect(status.get(step.id)).toBe(undefined)
              expect(step.isFinally).toBe(outcome !== null)
              if (move.kind === 'skip') {
                if (step.isFinally || !cancelRequested)
                  expect(step.needs.some((id) => isTaskEnded(status.get(id)!.state))).toBe(true)
                status.set(step.id, { state: 'skipped', byCondition: false })
              } else {
                for (const need of step.needs) expect(isTaskEnded(status.get(need)!.state)).toBe(true)
                expect(cancelRequested && !step.isFinally).toBe(false)
                if (luck.next().value.atOnce) end(step.id)
                else {
                  status.set(step.id, { state: 'running', byCondition: false })
                  running.push(step.id)
                }
              }
            }
          }
        }
        expect(running).toEqual([])
        for (const step of steps) expect(isTaskEnded(status.get(step.id)!.state)).toBe(true)
        const free = steps.filter((step) => step.isFinally && step.needs.length === 0)
        for (const step of free) expect(status.get(step.id)).not.toEqual({ state: 'skipped', byCondition: false })
      },
    ),
    { numRuns: 300 },
  )
})
