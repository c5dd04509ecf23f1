import type { CheckReport } from '../gates/gate-verdict-contract.ts'
import type { ArtifactRef, Assignment, ResourceUsage } from '../runners/exchange-contract.ts'
import type { ResolvedMerge } from '../workflows/task-contract.ts'
import type { MergeEvent, MergeState } from './merge-states-contract.ts'
import type { MergeBatch, Placement } from './merges-contract.ts'

export interface MergeNote {
  readonly target?: string
  readonly candidate?: string
  readonly files?: readonly string[]
  readonly reason?: string
  /** How it was put on top. */
  readonly placed?: Placement
  /** What was checked on the result. */
  readonly checks?: readonly { readonly name: string; readonly passed: boolean; readonly summary?: string }[]
  /** The work itself does not pass: such work went wrong, whatever becomes of its run. */
  readonly atFault?: boolean
  /** With which it is tested. */
  readonly batch?: MergeBatch
  /** For its own attempt, where this one brought it in. */
  readonly landed?: Landed
}

/** What the attempt of a merge tells that another's attempt has brought in. */
export interface Landed {
  readonly checks: readonly CheckReport[]
  readonly artifacts: readonly ArtifactRef[]
  /** Its part of what the checks cost. */
  readonly usage?: ResourceUsage
}

/** A merge that waits for its turn on the same branch. */
export interface WaitingMerge {
  readonly taskId: string
  readonly runId: string
  readonly step: string
  readonly item: number | null
  readonly spec: ResolvedMerge
}

/** What is on record of a merge from a former attempt. */
export interface MergeRecord {
  readonly state: MergeState
  readonly target: string | null
  readonly candidate: string | null
  /** Set where the attempt of another merge has brought it in. */
  readonly landed?: Landed | null
}

/** Where a merge records each step before it takes it, so that whoever comes after a crash knows how far it came. */
export interface MergeJournal {
  read(assignment: Assignment): Promise<MergeRecord | null>
  /** Throws `merge-superseded` where a later lease of the task has begun. */
  note(assignment: Assignment, event: MergeEvent, note?: MergeNote): Promise<void>
  /** What checks found, as it counts after what was learned of such work. */
  weigh(assignment: Assignment, reports: readonly CheckReport[]): Promise<readonly CheckReport[]>
  /**
   * Those that can be tested together with this one, in the order of the queue: they wait for nothing but this branch, and
   * ask for the same checks in the same surroundings. `usual`: how many go together where they say nothing themselves.
   */
  behind(assignment: Assignment, usual: number): Promise<readonly WaitingMerge[]>
  /**
   * Notes the same of all merges of a batch, the first being that of the assignment, in one transaction. False: one of the
   * others is no longer to be had (cancelled, paused, or under way by itself); then nothing was noted.
   */
  noteAll(assignment: Assignment, event: 'test' | 'land' | 'merge', notes: readonly BatchNote[]): Promise<boolean>
  /** Gives merges of the batch of this one back to the queue. `most`: how many may be tested together with each from now on. */
  part(assignment: Assignment, merges: readonly Parted[], reason: string): Promise<void>
}

export interface BatchNote {
  readonly taskId: string
  readonly note: MergeNote
}

export interface Parted {
  readonly taskId: string
  readonly most: number | null
}
