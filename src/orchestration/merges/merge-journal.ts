import type { CheckReport } from '../gates/gate-verdict-contract.ts'
import type { Assignment } from '../runners/exchange-contract.ts'
import type { MergeEvent, MergeState } from './merge-states-contract.ts'
import type { Placement } from './merges-contract.ts'

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
}

/** What is on record of a merge from a former attempt. */
export interface MergeRecord {
  readonly state: MergeState
  readonly target: string | null
  readonly candidate: string | null
}

/** Where a merge records each step before it takes it, so that whoever comes after a crash knows how far it came. */
export interface MergeJournal {
  read(assignment: Assignment): Promise<MergeRecord | null>
  /** Throws `merge-superseded` where a later lease of the task has begun. */
  note(assignment: Assignment, event: MergeEvent, note?: MergeNote): Promise<void>
  /** What checks found, as it counts after what was learned of such work. */
  weigh(assignment: Assignment, reports: readonly CheckReport[]): Promise<readonly CheckReport[]>
}
