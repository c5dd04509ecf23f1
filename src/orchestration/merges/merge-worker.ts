import type { Clock } from '../../foundation/kernel/clock.ts'
import { isAppError } from '../../foundation/kernel/errors.ts'
import { failpoint } from '../../foundation/kernel/failpoints.ts'
import type { JsonObject } from '../../foundation/kernel/json.ts'
import type { Git } from '../../foundation/platform/git/index.ts'
import type { AttemptContext, AttemptEnd } from '../agents/agent-adapter.ts'
import type { StartProcess, TaskWorker } from '../agents/task-worker.ts'
import type { Assignment, ResourceUsage } from '../runners/exchange-contract.ts'
import type { ResolvedMerge } from '../workflows/task-contract.ts'
import { splitBatch } from './batch-rules.ts'
import { buildCandidate, type Candidate, settleAt } from './build-candidate.ts'
import { MergeChecks, type MergeCheckTools } from './merge-checks.ts'
import { checkedOf, knownEnd, nameOf, notesOf, nothing, outputOf, refusalText } from './merge-ends.ts'
import { mergeErrors } from './merge-errors.ts'
import type { WaitingMerge } from './merge-journal.ts'
import { type StackEntry, stackUp, tellAs } from './merge-stack.ts'
import { shareCost } from './shared-cost.ts'
import { TargetBranch } from './target-branch.ts'

/** `runChecks`: the `gates` part provides it. */
export interface MergeWorkerOptions extends MergeCheckTools {
  readonly git: Git
  readonly clock: Clock
  /** How many merges that say nothing themselves are tested together at most. Default 1: each by itself. */
  readonly batch?: number
}

/** How often it begins again because others moved the branch. */
const mostRounds = 5

/**
 * Brings commits into branches: on top, tested, and then by compare-and-swap of the branch. Where that was asked for, those
 * that wait behind it are put on top of it, tested together with it, and brought in with it in one move of the branch; what
 * does not pass together is halved until it does.
 */
export function createMergeWorker(options: MergeWorkerOptions): TaskWorker {
  return {
    async known(assignment) {
      const record = await options.journal.read(assignment)
      return record?.state === 'merged' ? knownEnd(assignment.spec as ResolvedMerge, record) : null
    },
    async run(assignment, context, start) {
      try {
        return await new Merge(options, assignment, context, start).run()
      } catch (error) {
        if (!isAppError(error) || context.signal.aborted) throw error
        // A branch that cannot follow, or does not exist, is an end like others; so is one that moves all the time.
        await options.journal.note(assignment, 'fail', { reason: error.message }).catch((failure: unknown) => {
          if (!isAppError(failure)) throw failure
        })
        throw error
      }
    },
  }
}

class Merge {
  readonly #options: MergeWorkerOptions
  readonly #assignment: Assignment
  readonly #spec: ResolvedMerge
  readonly #context: AttemptContext
  readonly #checks: MergeChecks
  readonly #branch: TargetBranch
  readonly #from = performance.now()
  readonly #tree: { readonly gitDir: string; readonly workTree: string }
  readonly #self: WaitingMerge
  /** It has turned out that others do not go with it. */
  #alone = false

  constructor(options: MergeWorkerOptions, assignment: Assignment, context: AttemptContext, start: StartProcess) {
    if (context.tree === null) throw new Error('a merge is done in a worktree')
    const { taskId, runId, step, item } = assignment
    this.#options = options
    this.#assignment = assignment
    this.#spec = assignment.spec as ResolvedMerge
    this.#context = context
    this.#checks = new MergeChecks(options, assignment, context, start)
    this.#branch = new TargetBranch(options.git, {
      ...{ commonDir: context.tree.commonDir, name: this.#spec.into, repository: assignment.repo?.path ?? '' },
    })
    this.#self = { taskId, runId, step, item, spec: this.#spec }
    this.#tree = { gitDir: context.tree.gitDir, workTree: context.workdir }
  }

  async run(): Promise<AttemptEnd> {
    const { journal } = this.#options
    const landed = await this.#landedBefore()
    if (landed !== null) return landed
    for (let round = 1; round <= mostRounds; round++) {
      const target = await this.#branch.tip()
      const commit = await this.#branch.commitOf(this.#spec.commit)
      await journal.note(this.#assignment, 'begin', { target })
      failpoint('merge.rebase.before')
      this.#context.progress(`on top of ${target.slice(0, 12)}`)
      const fresh = round === 1 && this.#context.tree?.base === target
      const candidate = await this.#build(this.#spec, commit, target, fresh)
      if (candidate.kind === 'already') return this.#merged(target, target, [])
      if (candidate.kind === 'conflict') return this.#conflict(target, candidate)
      failpoint('merge.rebase.after')
      const own = { merge: this.#self, target, candidate: candidate.commit, placed: candidate.placed, own: nothing }
      const passed = await this.#test(await this.#takeAlong(own))
      if ('outcome' in passed) return passed
      if (await this.#land(target, passed)) return this.#merged(target, candidate.commit, passed)
    }
    throw mergeErrors['merge-target-moving'](`${this.#spec.into} moved ${mostRounds} times while results were tested`)
  }

  /** What a former attempt was about to do when it died may be done. */
  async #landedBefore(): Promise<AttemptEnd | null> {
    const record = await this.#options.journal.read(this.#assignment)
    if (record === null || record.state === 'merged' || record.candidate === null || record.target === null) return null
    const { candidate, target } = record
    if (!(await this.#branch.holds(candidate, await this.#branch.tip()))) return null
    await this.#options.journal.note(this.#assignment, 'begin', { target, candidate })
    await this.#follow(target, candidate)
    return this.#merged(target, candidate, [])
  }

  #build(spec: ResolvedMerge, commit: string, target: string, fresh: boolean): Promise<Candidate> {
    const { into, method, message } = spec
    const { signal } = this.#context
    const at = this.#options.clock.now().toISOString()
    return buildCandidate(this.#options.git, {
      ...{ place: this.#tree, fresh, target, commit, into, method, message, at, signal },
    })
  }

  /** Those that wait behind this one, put on top of it as far as they fit. */
  async #takeAlong(own: StackEntry): Promise<readonly StackEntry[]> {
    const { journal, batch = 1 } = this.#options
    if ((this.#spec.batch ?? batch) < 2 || this.#alone) return [own]
    const line = await journal.behind(this.#assignment, batch)
    if (line.length === 0) return [own]
    failpoint('merge.batch.before')
    const checked = await this.#checks.ofChange(own)
    if (checked === null) return [own]
    const { stack, clean } = await stackUp({ ...own, own: checked }, line, {
      commitOf: (name) => this.#branch.find(name),
      build: (spec, commit, target) => this.#build(spec, commit, target, true),
      check: (entry) => this.#checks.ofChange(entry),
    })
    if (!clean) await this.#settle(stack)
    failpoint('merge.batch.after')
    return stack
  }

  /** Tests a stack as one; what does not pass together is halved. What is left passed, or is this merge alone, which did not. */
  async #test(stack: readonly StackEntry[]): Promise<readonly StackEntry[] | AttemptEnd> {
    let group = stack
    let doubtful: readonly StackEntry[] = []
    while (group.length > 1) {
      const failed = await this.#checks.ofAll(group, this.#self)
      if (failed === '') return group
      const { first, rest } = splitBatch(group.length)
      // What is left of its time must do for itself.
      const kept = failed === null || (performance.now() - this.#from) * 3 > this.#spec.timeoutMs ? 1 : first
      const parted = group.slice(kept)
      if (failed === null) await this.#giveBack(parted, null, 'one of those that were to be tested together is gone')
      else {
        // That these do not pass says nothing of those that were tested with them before.
        const reason = `tested together with ${nameOf(group)}, ${failed}`
        await this.#say(`${reason}: ${group.length - parted.length} of them are tested again`)
        await this.#giveBack(doubtful, null, '')
        await this.#giveBack(parted, rest, reason)
        doubtful = parted
      }
      group = group.slice(0, kept)
      await this.#settle(group)
      if (group.length === 1) await this.#options.journal.note(this.#assignment, 'begin', { target: group[0]!.target })
    }
    const ended = await this.#testAlone(group[0]!)
    if (ended !== null) await this.#giveBack(doubtful, null, '')
    return ended ?? group
  }

  /** Null where the checks pass. */
  async #testAlone(entry: StackEntry): Promise<AttemptEnd | null> {
    const { target, candidate } = entry
    const found = await this.#checks.alone(entry)
    if (found.kind === 'passed') return null
    if (found.kind === 'unknown') return this.#end('failed', null, found.failure)
    const { failed, atFault } = found
    const reason = `on top of ${this.#spec.into} these checks do not pass: ${failed}`
    const { runId, taskId } = this.#assignment
    // A next step may begin at what did not pass.
    await this.#branch.keep(`refs/leanvibe/${runId}/${taskId}/candidate`, candidate)
    const checks = checkedOf(this.#checks.reports)
    await this.#options.journal.note(this.#assignment, 'refuse', { target, candidate, reason, checks, atFault })
    const conflict = refusalText(reason, this.#checks.verdict().checks)
    const output = { state: 'refused', target, failed, candidate, conflict }
    return this.#handBack(output, mergeErrors['merge-refused'](reason))
  }

  /** False where somebody else moved the branch meanwhile, or where those that were tested together do not go in together. */
  async #land(target: string, group: readonly StackEntry[]): Promise<boolean> {
    const candidate = group.at(-1)!.candidate
    try {
      await this.#branch.refuseDirty(target, candidate)
    } catch (error) {
      if (group.length === 1 || !isAppError(error, 'merge-target-dirty')) throw error
      return this.#goAlone(group, error.message)
    }
    this.#context.signal.throwIfAborted()
    if (!(await this.#noteLanding(group))) return this.#goAlone(group, 'one of those that were tested together is gone')
    failpoint('merge.land.before')
    const moved = await this.#branch.move(target, candidate, this.#assignment.taskId)
    failpoint('merge.land.after')
    if (!moved) {
      await this.#giveBack(group.slice(1), null, 'somebody else moved the branch meanwhile')
      return false
    }
    await this.#follow(target, candidate)
    return true
  }

  async #noteLanding(group: readonly StackEntry[]): Promise<boolean> {
    const { journal } = this.#options
    const checks = checkedOf(this.#checks.reports)
    const [{ target, candidate }] = group as readonly [StackEntry]
    if (group.length > 1) return journal.noteAll(this.#assignment, 'land', notesOf(group, { checks }))
    await journal.note(this.#assignment, 'land', { target, candidate, checks })
    return true
  }

  async #goAlone(group: readonly StackEntry[], reason: string): Promise<false> {
    this.#alone = true
    await this.#giveBack(group.slice(1), null, reason)
    return false
  }

  async #giveBack(entries: readonly StackEntry[], most: number | null, reason: string): Promise<void> {
    if (entries.length === 0) return
    const merges = entries.map(({ merge: { taskId } }) => ({ taskId, most }))
    await this.#options.journal.part(this.#assignment, merges, reason)
  }

  #settle(group: readonly StackEntry[]): Promise<void> {
    const options = { signal: this.#context.signal, timeoutMs: 600_000 }
    return settleAt(this.#options.git, this.#tree, group.at(-1)!.candidate, options)
  }

  async #follow(from: string, to: string): Promise<void> {
    for (const left of await this.#branch.follow(from, to)) await this.#say(left)
  }

  async #conflict(target: string, candidate: Extract<Candidate, { kind: 'conflict' }>): Promise<AttemptEnd> {
    const { files, text } = candidate
    const reason = `${files.length} files are in conflict: ${files.slice(0, 10).join(', ')}`
    await this.#options.journal.note(this.#assignment, 'conflict', { target, files, reason })
    await this.#say(reason)
    const output = { state: 'conflict', target, files: [...files], conflict: this.#context.masker.text(text) }
    return this.#handBack(output, mergeErrors['merge-conflict'](reason))
  }

  /** `group`: what went in together. */
  async #merged(target: string, commit: string, group: readonly StackEntry[]): Promise<AttemptEnd> {
    const { journal } = this.#options
    const { together } = this.#checks
    const cost = shareCost(this.#checks.cost, Math.max(1, group.length), this.#elapsedSeconds())
    if (group.length < 2 || together === null)
      await journal.note(this.#assignment, 'merge', { target, candidate: commit })
    else {
      const notes = notesOf(group).map(({ taskId, note }, index) => {
        const landed = { ...tellAs(together, this.#self, group[index]!), usage: cost.others }
        return { taskId, note: index === 0 ? note : { ...note, landed } }
      })
      await journal.noteAll(this.#assignment, 'merge', notes)
    }
    failpoint('merge.told.after')
    await this.#say(`${this.#spec.into} is at ${group.at(-1)?.candidate ?? commit}`)
    return this.#end('succeeded', { state: 'merged', merged: true, commit, target }, null, cost.first)
  }

  /** What did not go in is a result where the step hands it back, and a failure elsewhere. */
  #handBack(output: JsonObject, error: Error & { readonly code: string }): AttemptEnd {
    if (this.#spec.onConflict === 'hand-back') return this.#end('succeeded', output, null)
    return this.#end('failed', output, { code: error.code, message: error.message, retry: 'never' })
  }

  #end(
    outcome: AttemptEnd['outcome'],
    output: JsonObject | null,
    error: AttemptEnd['error'],
    usage: ResourceUsage = shareCost(this.#checks.cost, 1, this.#elapsedSeconds()).first,
  ): AttemptEnd {
    const { reports, artifacts, survivors } = this.#checks
    return {
      ...{ outcome, error, usage, artifacts, survivors },
      output: output === null ? null : outputOf(this.#spec, reports, output),
    }
  }

  #elapsedSeconds(): number {
    return (performance.now() - this.#from) / 1_000
  }

  async #say(text: string): Promise<void> {
    await this.#context.log('stderr', Buffer.from(`${text}\n`))
  }
}
