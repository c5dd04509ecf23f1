import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { NewEvent } from '../../foundation/runtime/event-log.ts'
import type { Timer } from '../../foundation/runtime/timers.ts'
import type { ApprovalRules } from '../approvals/approval-rules-contract.ts'
import type { NewBudget } from '../budgets/budget-rules-contract.ts'
import type { NewTask } from '../coordinator/sql/insert-tasks.ts'
import type { TaskRef } from '../coordinator/task-queue.ts'
import type { NewMerge } from '../merges/merges-store.ts'
import type { NewPathClaim } from '../path-leases/path-leases.ts'
import type { RunRef, RunRow, StepRow } from './run-rows.ts'
import { keyOf } from './run-rows.ts'
import { stepEvent } from './runs-store.ts'

export interface NewApproval extends RunRef {
  readonly id: string
  readonly taskId: string
  readonly step: string
  readonly message: string
  readonly who: readonly string[]
  readonly deadlineAt: Date | null
  readonly defaultAnswer: 'approve' | 'reject'
  /** Absent: one answer is enough, from anybody who is named. */
  readonly rules?: ApprovalRules | undefined
}

export interface NewEventWait extends RunRef {
  readonly taskId: string
  readonly type: string
}

export interface NewPlace {
  readonly tenant: TenantId
  readonly key: string
  readonly max: number
}

/** What a round of moves wants written, gathered over many runs and written in batches. */
export class RunChanges {
  readonly newSteps: (RunRef & { readonly row: StepRow })[] = []
  /** Of what is new. Those of what is changed follow them. */
  readonly events: NewEvent[] = []
  readonly tasks: NewTask[] = []
  readonly places: NewPlace[] = []
  readonly budgets: NewBudget[] = []
  readonly timers: Timer[] = []
  readonly approvals: NewApproval[] = []
  readonly eventWaits: NewEventWait[] = []
  readonly merges: NewMerge[] = []
  readonly claims: NewPathClaim[] = []
  /** Tasks whose work is a run of another workflow. */
  readonly calls: TaskRef[] = []
  readonly #steps = new Map<string, RunRef & { row: StepRow; counts: boolean }>()
  readonly #runs = new Map<string, RunRow>()

  /** `counts`: the step's totals are part of the change. */
  step(ref: RunRef, row: StepRow, counts = false): void {
    const key = `${keyOf(ref)}/${row.step}`
    const before = this.#steps.get(key)
    this.#steps.set(key, { tenant: ref.tenant, runId: ref.runId, row, counts: counts || (before?.counts ?? false) })
  }

  /** Takes the changed steps of a run out, for whoever writes them now. */
  takeSteps(ref: RunRef): readonly (RunRef & { readonly row: StepRow; readonly counts: boolean })[] {
    const own = [...this.#steps].filter(([, step]) => keyOf(step) === keyOf(ref))
    for (const [key] of own) this.#steps.delete(key)
    return own.map(([, step]) => step)
  }

  /** The steps of a new run: they are written as they have become meanwhile. Returns them. */
  addNewSteps(ref: RunRef, rows: readonly StepRow[], now: Date): readonly StepRow[] {
    const changed = new Map(this.takeSteps(ref).map(({ row }) => [row.step, { ...row, rev: row.rev + 1 }]))
    const written = rows.map((row) => changed.get(row.step) ?? row)
    for (const row of written) this.newSteps.push({ ...ref, row })
    for (const row of changed.values()) this.events.push(stepEvent({ ...ref, row }, now))
    return written
  }

  run(row: RunRow): void {
    this.#runs.set(keyOf({ tenant: row.tenant, runId: row.id }), row)
  }

  get steps(): readonly (RunRef & { readonly row: StepRow; readonly counts: boolean })[] {
    return [...this.#steps.values()]
  }

  get runs(): readonly RunRow[] {
    return [...this.#runs.values()]
  }
}
