import type { StateTable } from '../../foundation/kernel/state-table.ts'

export const mergeStateNames = [
  'queued',
  'rebasing',
  'testing',
  'landing',
  'merged',
  'conflict',
  'refused',
  'failed',
  'cancelled',
] as const
export type MergeState = (typeof mergeStateNames)[number]

/**
 * Complete: each state with each event. `begin`: the commit is put on top of the branch, also once more, when the branch has moved meanwhile. `land`: the branch
 * is about to move to what was tested. `requeue`: its runner died. `conflict` and `refuse` end it without a change.
 */
export type MergeEvent = 'begin' | 'test' | 'land' | 'merge' | 'conflict' | 'refuse' | 'requeue' | 'fail' | 'cancel'

const none = {
  begin: null,
  test: null,
  land: null,
  merge: null,
  conflict: null,
  refuse: null,
  requeue: null,
  fail: null,
  cancel: null,
} as const

const underWay = { begin: 'rebasing', requeue: 'queued', fail: 'failed', cancel: 'cancelled' } as const

export const mergeStates: StateTable<MergeState, MergeEvent> = {
  queued: { ...none, begin: 'rebasing', fail: 'failed', cancel: 'cancelled' },
  rebasing: { ...none, ...underWay, test: 'testing', merge: 'merged', conflict: 'conflict' },
  testing: { ...none, ...underWay, land: 'landing', refuse: 'refused' },
  // Once it may have landed, whether it did is for the next attempt to find out.
  landing: { ...none, ...underWay, merge: 'merged' },
  merged: none,
  // The step may be tried again.
  conflict: { ...none, begin: 'rebasing', requeue: 'queued' },
  refused: { ...none, begin: 'rebasing', requeue: 'queued' },
  // The branch had moved when the runner was told to stop, or before its report was lost.
  failed: { ...none, begin: 'rebasing', requeue: 'queued', merge: 'merged' },
  cancelled: { ...none, merge: 'merged' },
}

export const openMergeStates = ['queued', 'rebasing', 'testing', 'landing'] as const satisfies readonly MergeState[]
