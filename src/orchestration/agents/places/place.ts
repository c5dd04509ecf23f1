import type { RunningProcess, StartProcess } from '../../../foundation/platform/processes/index.ts'
import type { Assignment } from '../../runners/exchange-contract.ts'
import type { AttemptContext } from '../agent-adapter.ts'

/** Starts processes: on this machine, in a container, in a pod. Paths are the same everywhere. */
export interface ProcessStarter {
  start(request: StartProcess): Promise<RunningProcess>
}

/** Where one attempt runs that does not run on the host itself. Its first process is the agent; others are beside it. */
export interface Place extends ProcessStarter {
  /** Removes what is left of it. Resolves to the number of things that may still be at work on its folders. */
  close(): Promise<number>
}

export type OpenPlace = (assignment: Assignment, context: AttemptContext) => Promise<Place>
