import type { Assignment, AttemptError, ResourceUsage } from '../runners/exchange-contract.ts'
import type { AttemptContext, AttemptEnd } from './agent-adapter.ts'

/** How a process ended that was started for a worker. */
export interface WorkerProcess {
  /** Ended by itself with 0, within its limits. */
  readonly passed: boolean
  readonly exitCode: number | null
  /** How it ended, for people: `exit code 2`. */
  readonly text: string
  /** What it printed, standard output and errors as they came; of very much, the beginning and the end. */
  readonly output: string
  readonly usage: ResourceUsage
  readonly survivors: number
  /** Set where that says nothing of the work: the supervisor ended, or the machine could not start it. */
  readonly failure: AttemptError | null
}

/** Starts a process in the folder of the attempt, or in one below it, under its limits, and waits for its end. */
export type StartProcess = (argv: readonly string[], folder?: string) => Promise<WorkerProcess>

/** Work that is part of the product (the checks of a gate, a merge), with processes that an adapter starts for it. */
export interface TaskWorker {
  /** The end of what has been done already, for which no folder is made. Absent: nothing ever has. */
  known?(assignment: Assignment): Promise<AttemptEnd | null>
  run(assignment: Assignment, context: AttemptContext, start: StartProcess): Promise<AttemptEnd>
}
