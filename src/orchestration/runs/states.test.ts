import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type StateTable, statesAccepting } from '../../foundation/kernel/state-table.ts'
import {
  endedRunStates,
  endedTaskStates,
  isRunEnded,
  isTaskEnded,
  type RunEvent,
  type RunState,
  runStates,
  type TaskEvent,
  type TaskState,
  taskStates,
} from './states-contract.ts'

/** Every legal pair, written a second time: a change of a table is a decision, not a slip. */
const runMoves = `
  pending start running; pending pause paused; pending fail failed; pending cancel cancelled
  running wait waiting; running pause paused; running succeed succeeded; running fail failed; running cancel cancelled
  paused resume running; paused requeue pending; paused fail failed; paused cancel cancelled
  waiting wake running; waiting pause paused; waiting succeed succeeded; waiting fail failed; waiting cancel cancelled`

const taskMoves = `
  pending admit ready; pending hold waiting; pending fail failed; pending cancel cancelled; pending skip skipped
  ready hold waiting; ready lease leased; ready fail failed; ready cancel cancelled; ready skip skipped
  waiting admit ready; waiting hold waiting; waiting succeed succeeded; waiting fail failed; waiting time-out timed-out
  waiting cancel cancelled; waiting skip skipped
  leased begin running; leased succeed succeeded; leased fail failed; leased time-out timed-out; leased retry waiting
  leased lose ready; leased cancel cancelled
  running begin running; running succeed succeeded; running fail failed; running time-out timed-out
  running retry waiting; running lose ready; running cancel cancelled`

function movesOf(table: Readonly<Record<string, Readonly<Record<string, string | null>>>>): string[] {
  return Object.entries(table).flatMap(([state, row]) =>
    Object.entries(row).flatMap(([event, next]) => (next === null ? [] : [`${state} ${event} ${next}`])),
  )
}

function written(text: string): string[] {
  return text
    .split(/[;\n]/)
    .map((move) => move.trim())
    .filter((move) => move !== '')
}

/** States that some sequence of events leads to from `start`. */
function reachable<S extends string, E extends string>(table: StateTable<S, E>, start: S): Set<S> {
  const seen = new Set([start])
  for (const state of seen) for (const next of Object.values<S | null>(table[state])) if (next !== null) seen.add(next)
  return seen
}

describe.each([
  ['run', runStates, runMoves, endedRunStates, isRunEnded],
  ['task', taskStates, taskMoves, endedTaskStates, isTaskEnded],
] as const)('the states of a %s', (_name, untyped, moves, ended, isEnded) => {
  const table = untyped as StateTable<string, string>
  const states = Object.keys(table)

  test('allow these moves and no others', () => {
    expect(movesOf(table).sort()).toEqual(written(moves).sort())
  })

  test('are complete: every state knows every event', () => {
    const events = Object.keys(table.pending!).sort()
    for (const state of states) expect(Object.keys(table[state]!).sort()).toEqual(events)
  })

  test('are ended for good exactly when nothing applies any more', () => {
    const silent = states.filter((state) => Object.values(table[state]!).every((next) => next === null))
    expect([...ended].sort()).toEqual(silent.sort())
    for (const state of states) expect(isEnded(state as never)).toBe(silent.includes(state))
  })

  test('can all be reached, and an end can be reached from each', () => {
    expect([...reachable(table, 'pending')].sort()).toEqual([...states].sort())
    for (const state of states) expect([...reachable(table, state)].some((next) => isEnded(next as never))).toBe(true)
  })
})

test('whoever works on a task can always be relieved of it', () => {
  for (const state of ['leased', 'running'] as const) {
    expect(taskStates[state].lose).toBe('ready')
    expect(taskStates[state].cancel).toBe('cancelled')
  }
  expect(statesAccepting(taskStates, 'lose').sort()).toEqual(['leased', 'running'])
  expect(statesAccepting(taskStates, 'lease')).toEqual(['ready'])
})

test('no sequence of events leads out of an end', () => {
  const taskEvents = fc.array(fc.constantFrom(...(Object.keys(taskStates.pending) as TaskEvent[])), { maxLength: 40 })
  const runEvents = fc.array(fc.constantFrom(...(Object.keys(runStates.pending) as RunEvent[])), { maxLength: 40 })
  fc.assert(
    fc.property(taskEvents, runEvents, (forTask, forRun) => {
      let task: TaskState = 'pending'
      for (const event of forTask) {
        const next: TaskState | null = taskStates[task][event]
        if (isTaskEnded(task)) expect(next).toBeNull()
        task = next ?? task
      }
      let run: RunState = 'pending'
      for (const event of forRun) {
        const next: RunState | null = runStates[run][event]
        if (isRunEnded(run)) expect(next).toBeNull()
        run = next ?? run
      }
    }),
  )
})
