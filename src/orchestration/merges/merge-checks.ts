import { failpoint } from '../../foundation/kernel/failpoints.ts'
import type { JsonValue } from '../../foundation/kernel/json.ts'
import type { AttemptContext } from '../agents/agent-adapter.ts'
import type { StartProcess } from '../agents/task-worker.ts'
import { type CheckReport, failedChecks, gateVerdict } from '../gates/gate-verdict-contract.ts'
import type { CheckPlace, ChecksDone } from '../gates/run-checks.ts'
import type { ArtifactRef, Assignment, AttemptError, ResourceUsage } from '../runners/exchange-contract.ts'
import type { ResolvedCheck, ResolvedMerge } from '../workflows/task-contract.ts'
import { notesOf, nothing } from './merge-ends.ts'
import type { Landed, MergeJournal, WaitingMerge } from './merge-journal.ts'
import { isOfChange, type StackEntry, tellAs } from './merge-stack.ts'
import { addCost } from './shared-cost.ts'

export interface MergeCheckTools {
  readonly journal: MergeJournal
  readonly runChecks: (checks: readonly ResolvedCheck[], place: CheckPlace) => Promise<ChecksDone>
}

/** What checks of a merge by itself came to. */
export type CheckedAlone =
  | { readonly kind: 'passed' }
  | { readonly kind: 'unknown'; readonly failure: AttemptError }
  | { readonly kind: 'refused'; readonly failed: string; readonly atFault: boolean }

/** The checks that one attempt does: of its own merge, and of those that it takes along. */
export class MergeChecks {
  /** Of the last run, as the merge of this attempt has it. */
  reports: readonly CheckReport[] = []
  artifacts: readonly ArtifactRef[] = []
  survivors = 0
  /** What the checks of several found, as this one has it; null: it was tested alone. */
  together: Landed | null = null
  /** Of all runs. */
  cost: ResourceUsage | null = null
  readonly #tools: MergeCheckTools
  readonly #assignment: Assignment
  readonly #spec: ResolvedMerge
  readonly #context: AttemptContext
  readonly #start: StartProcess

  constructor(tools: MergeCheckTools, assignment: Assignment, context: AttemptContext, start: StartProcess) {
    this.#tools = tools
    this.#assignment = assignment
    this.#spec = assignment.spec as ResolvedMerge
    this.#context = context
    this.#start = start
  }

  /** Of one change alone, under its own name. Null where they do not pass, or could not be done. */
  async ofChange({ merge, target, candidate }: Omit<StackEntry, 'own'>): Promise<Landed | null> {
    const checks = merge.spec.checks.filter(isOfChange)
    if (checks.length === 0) return nothing
    const { taskId, runId, step, item } = merge
    const named = { ...this.#assignment, taskId, runId, step, item } as Assignment
    const { reports, artifacts, failure } = await this.#run(checks, named, target, candidate)
    const verdict = gateVerdict({ checks }, { checks: reports as unknown as JsonValue })
    return failure === null && verdict.verdict === 'pass' ? { checks: reports, artifacts } : null
  }

  /** Empty where they pass, null where one of the merges is no longer to be had, else what does not pass. */
  async ofAll(group: readonly StackEntry[], self: WaitingMerge): Promise<string | null> {
    const [first] = group as readonly [StackEntry]
    if (!(await this.#tools.journal.noteAll(this.#assignment, 'test', notesOf(group)))) return null
    failpoint('merge.gate.before')
    this.#context.progress(`${group.length} are tested together`)
    const shared = this.#spec.checks.filter((check) => !isOfChange(check))
    const done = await this.#run(shared, this.#assignment, first.target, group.at(-1)!.candidate)
    this.#context.signal.throwIfAborted()
    failpoint('merge.gate.after')
    this.together = { checks: done.reports, artifacts: done.artifacts }
    const told = tellAs(this.together, self, first)
    this.reports = told.checks
    this.artifacts = told.artifacts
    if (done.failure !== null) return `the checks came to no end: ${done.failure.message}`
    const verdict = gateVerdict(this.#spec, { checks: this.reports as unknown as JsonValue })
    return verdict.verdict === 'pass' ? '' : `these checks do not pass: ${failedChecks(verdict)}`
  }

  async alone({ target, candidate, placed }: StackEntry): Promise<CheckedAlone> {
    const { journal } = this.#tools
    this.together = null
    await journal.note(this.#assignment, 'test', { target, candidate, ...(placed === undefined ? {} : { placed }) })
    failpoint('merge.gate.before')
    const done = await this.#run(this.#spec.checks, this.#assignment, target, candidate)
    this.reports = done.reports
    this.artifacts = done.artifacts
    this.#context.signal.throwIfAborted()
    if (done.failure !== null) return { kind: 'unknown', failure: done.failure }
    this.reports = await journal.weigh(this.#assignment, done.reports)
    failpoint('merge.gate.after')
    const verdict = this.verdict()
    if (verdict.verdict === 'pass') return { kind: 'passed' }
    const atFault = verdict.checks.some(
      ({ name, passed, onFail }) => !passed && onFail !== 'allow' && !this.#isOpinion(name),
    )
    return { kind: 'refused', failed: failedChecks(verdict), atFault }
  }

  verdict() {
    return gateVerdict(this.#spec, { checks: this.reports as unknown as JsonValue })
  }

  async #run(checks: readonly ResolvedCheck[], assignment: Assignment, from: string, to: string): Promise<ChecksDone> {
    const place = { assignment, context: this.#context, start: this.#start, change: { from, to } }
    const done = await this.#tools.runChecks(checks, place)
    this.cost = addCost(this.cost, done.usage)
    this.survivors += done.survivors
    return done
  }

  /** A check of how sure somebody is says nothing of whether the work is right. */
  #isOpinion(name: string): boolean {
    return this.#spec.checks.some((check) => check.name === name && 'check' in check && check.check === 'confidence')
  }
}
