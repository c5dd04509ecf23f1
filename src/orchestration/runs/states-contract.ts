import type { StateTable } from '../../foundation/kernel/state-table.ts'

export type RunState = 'pending' | 'running' | 'paused' | 'waiting' | 'succeeded' | 'failed' | 'cancelled'
export type RunEvent = 'start' | 'wait' | 'wake' | 'pause' | 'resume' | 'requeue' | 'succeed' | 'fail' | 'cancel'

const noRunEvent = {
  start: null,
  wait: null,
  wake: null,
  pause: null,
  resume: null,
  requeue: null,
  succeed: null,
  fail: null,
  cancel: null,
} as const

/** `requeue`: a run that was paused before it began waits for its turn again. `waiting`: everything that could go on waits for a person, a timer or an event. */
export const runStates: StateTable<RunState, RunEvent> = {
  pending: { ...noRunEvent, start: 'running', pause: 'paused', fail: 'failed', cancel: 'cancelled' },
  running: {
    ...noRunEvent,
    wait: 'waiting',
    pause: 'paused',
    succeed: 'succeeded',
    fail: 'failed',
    cancel: 'cancelled',
  },
  paused: { ...noRunEvent, resume: 'running', requeue: 'pending', fail: 'failed', cancel: 'cancelled' },
  waiting: {
    ...noRunEvent,
    wake: 'running',
    pause: 'paused',
    succeed: 'succeeded',
    fail: 'failed',
    cancel: 'cancelled',
  },
  succeeded: noRunEvent,
  failed: noRunEvent,
  cancelled: noRunEvent,
}

export const endedRunStates = ['succeeded', 'failed', 'cancelled'] as const satisfies readonly RunState[]

export function isRunEnded(state: RunState): boolean {
  return (endedRunStates as readonly RunState[]).includes(state)
}

export type TaskState =
  | 'pending'
  | 'ready'
  | 'waiting'
  | 'leased'
  | 'running'
  | 'succeeded'
  | 'failed'
  | 'cancelled'
  | 'timed-out'
  | 'skipped'

/**
 * `admit`: needs are met, a runner may take it. `hold`: it waits for a reason (budget, concurrency, approval, timer,
 * event, sub-run, back-off, pause). `lose`: the runner died or its lease ended. `retry`: an attempt failed and another follows.
 */
export type TaskEvent =
  | 'admit'
  | 'hold'
  | 'lease'
  | 'begin'
  | 'succeed'
  | 'fail'
  | 'time-out'
  | 'retry'
  | 'lose'
  | 'cancel'
  | 'skip'

const ended = {
  admit: null,
  hold: null,
  lease: null,
  begin: null,
  succeed: null,
  fail: null,
  'time-out': null,
  retry: null,
  lose: null,
  cancel: null,
  skip: null,
} as const

export const taskStates: StateTable<TaskState, TaskEvent> = {
  pending: { ...ended, admit: 'ready', hold: 'waiting', fail: 'failed', cancel: 'cancelled', skip: 'skipped' },
  ready: { ...ended, hold: 'waiting', lease: 'leased', fail: 'failed', cancel: 'cancelled', skip: 'skipped' },
  waiting: {
    ...ended,
    admit: 'ready',
    hold: 'waiting',
    succeed: 'succeeded',
    fail: 'failed',
    'time-out': 'timed-out',
    cancel: 'cancelled',
    skip: 'skipped',
  },
  leased: {
    ...ended,
    begin: 'running',
    succeed: 'succeeded',
    fail: 'failed',
    'time-out': 'timed-out',
    retry: 'waiting',
    lose: 'ready',
    cancel: 'cancelled',
  },
  running: {
    ...ended,
    begin: 'running',
    succeed: 'succeeded',
    fail: 'failed',
    'time-out': 'timed-out',
    retry: 'waiting',
    lose: 'ready',
    cancel: 'cancelled',
  },
  succeeded: ended,
  failed: ended,
  cancelled: ended,
  'timed-out': ended,
  skipped: ended,
}

export const endedTaskStates = [
  'succeeded',
  'failed',
  'cancelled',
  'timed-out',
  'skipped',
] as const satisfies readonly TaskState[]

export function isTaskEnded(state: TaskState): boolean {
  return (endedTaskStates as readonly TaskState[]).includes(state)
}
