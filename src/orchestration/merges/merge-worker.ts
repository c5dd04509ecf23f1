import type { Clock } from '../../foundation/kernel/clock.ts'
import { isAppError } from '../../foundation/kernel/errors.ts'
import { failpoint } from '../../foundation/kernel/failpoints.ts'
import type { JsonObject, JsonValue } from '../../foundation/kernel/json.ts'
import type { Git } from '../../foundation/platform/git/index.ts'
import type { AttemptContext, AttemptEnd } from '../agents/agent-adapter.ts'
import type { StartProcess, TaskWorker } from '../agents/task-worker.ts'
import { failedChecks, gateVerdict } from '../gates/gate-verdict-contract.ts'
import type { CheckPlace, ChecksDone } from '../gates/run-checks.ts'
import type { Assignment } from '../runners/exchange-contract.ts'
import type { ResolvedCheck, ResolvedMerge } from '../workflows/task-contract.ts'
import { splitBatch } from './batch-rules.ts'
import { checkoutsOf, follow, refuseDirty } from './branch-checkout.ts'
import { buildCandidate, type Candidate, settleAt } from './build-candidate.ts'
import { checkedOf, knownEnd, nameOf, notesOf, nothing, outputOf, refusalText } from './merge-ends.ts'
import { mergeErrors } from './merge-errors.ts'
import type { Landed, MergeJournal, WaitingMerge } from './merge-journal.ts'
import { isOfChange, type StackEntry, stackUp, tellAs } from './merge-stack.ts'

export interface MergeWorkerOptions {
  readonly git: Git
  readonly journal: MergeJournal
  /** Does the checks; the `gates` part provides it. */
  readonly runChecks: (checks: readonly ResolvedCheck[], place: CheckPlace) => Promise<ChecksDone>
  readonly clock: Clock
  /** How many merges are tested together at most. Default 1: each by itself. */
  readonly batch?: number
}

/** How often it begins again because others moved the branch. */
const mostRounds = 5

/**
 * Brings commits into branches: on top, tested, and then by compare-and-swap of the branch. Those that wait behind it are put
 * on top of it, tested together with it, and brought in with it; what does not pass together is halved until it does.
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
  readonly #start: StartProcess
  readonly #from = performance.now()
  readonly #tree: { readonly gitDir: string; readonly workTree: string; readonly commonDir: string }
  readonly #self: WaitingMerge
  #done: ChecksDone | null = null
  /** What the checks of several found, as this one has it. */
  #together: Landed | null = null
  /** It has turned out that others do not go with it. */
  #alone = false

  constructor(options: MergeWorkerOptions, assignment: Assignment, context: AttemptContext, start: StartProcess) {
    if (context.tree === null) throw new Error('a merge is done in a worktree')
    this.#options = options
    this.#assignment = assignment
    this.#spec = assignment.spec as ResolvedMerge
    this.#context = context
    this.#start = start
    const { taskId, runId, step, item } = assignment
    this.#self = { taskId, runId, step, item, spec: this.#spec }
    this.#tree = { gitDir: context.tree.gitDir, workTree: context.workdir, commonDir: context.tree.commonDir }
  }

  async run(): Promise<AttemptEnd> {
    const { journal } = this.#options
    const landed = await this.#landedBefore()
    if (landed !== null) return landed
    for (let round = 1; round <= mostRounds; round++) {
      const target = await this.#branchTip()
      const commit = await this.#commitOf(this.#spec.commit)
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
    if (!(await this.#isIn(candidate, await this.#branchTip()))) return null
    await this.#options.journal.note(this.#assignment, 'begin', { target, candidate })
    await this.#followAll(target, candidate)
    return this.#merged(target, candidate, [])
  }

  #build(spec: ResolvedMerge, commit: string, target: string, fresh: boolean): Promise<Candidate> {
    const { into, method, message } = spec
    const { gitDir, workTree } = this.#tree
    const { signal } = this.#context
    const at = this.#options.clock.now().toISOString()
    return buildCandidate(this.#options.git, {
      ...{ place: { gitDir, workTree }, fresh, target, commit, into, method, message, at, signal },
    })
  }

  /** Those that wait behind this one, put on top of it as far as they fit. */
  async #takeAlong(own: StackEntry): Promise<readonly StackEntry[]> {
    const { journal, batch = 1 } = this.#options
    if (batch < 2 || this.#alone) return [own]
    const line = await journal.behind(this.#assignment, batch)
    if (line.length === 0) return [own]
    failpoint('merge.batch.before')
    const checked = await this.#checkChange(own)
    if (checked === null) return [own]
    const { stack, clean } = await stackUp({ ...own, own: checked }, line, {
      commitOf: (name) => this.#find(name),
      build: (spec, commit, target) => this.#build(spec, commit, target, true),
      check: (entry) => this.#checkChange(entry),
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
      const failed = await this.#testTogether(group)
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

  /** Empty where the checks pass, null where one of the merges is no longer to be had, else what does not pass. */
  async #testTogether(group: readonly StackEntry[]): Promise<string | null> {
    const [first] = group as readonly [StackEntry]
    const top = group.at(-1)!
    if (!(await this.#options.journal.noteAll(this.#assignment, 'test', notesOf(group)))) return null
    failpoint('merge.gate.before')
    this.#context.progress(`${group.length} are tested together`)
    const shared = this.#spec.checks.filter((check) => !isOfChange(check))
    const done = await this.#runChecks(shared, this.#assignment, first.target, top.candidate)
    this.#context.signal.throwIfAborted()
    failpoint('merge.gate.after')
    this.#together = { checks: done.reports, artifacts: done.artifacts }
    const { checks: reports, artifacts } = tellAs(this.#together, this.#self, first)
    this.#done = { ...done, reports, artifacts }
    if (done.failure !== null) return `the checks came to no end: ${done.failure.message}`
    const verdict = gateVerdict(this.#spec, { checks: this.#done.reports as unknown as JsonValue })
    return verdict.verdict === 'pass' ? '' : `these checks do not pass: ${failedChecks(verdict)}`
  }

  /** Checks of one change alone, under its own name. Null where they do not pass, or could not be done. */
  async #checkChange({ merge, target, candidate }: Omit<StackEntry, 'own'>): Promise<Landed | null> {
    const checks = merge.spec.checks.filter(isOfChange)
    if (checks.length === 0) return nothing
    const { taskId, runId, step, item } = merge
    const named = { ...this.#assignment, taskId, runId, step, item } as Assignment
    const { reports, artifacts, failure } = await this.#runChecks(checks, named, target, candidate)
    const verdict = gateVerdict({ checks }, { checks: reports as unknown as JsonValue })
    return failure === null && verdict.verdict === 'pass' ? { checks: reports, artifacts } : null
  }

  #runChecks(checks: readonly ResolvedCheck[], assignment: Assignment, from: string, to: string): Promise<ChecksDone> {
    const place = { assignment, context: this.#context, start: this.#start, change: { from, to } }
    return this.#options.runChecks(checks, place)
  }

  /** Null where the checks pass. */
  async #testAlone({ target, candidate, placed }: StackEntry): Promise<AttemptEnd | null> {
    const { journal } = this.#options
    this.#together = null
    await journal.note(this.#assignment, 'test', { target, candidate, ...(placed === undefined ? {} : { placed }) })
    failpoint('merge.gate.before')
    const done = await this.#runChecks(this.#spec.checks, this.#assignment, target, candidate)
    this.#done = done
    this.#context.signal.throwIfAborted()
    if (done.failure !== null) return this.#end('failed', null, done.failure)
    this.#done = { ...done, reports: await journal.weigh(this.#assignment, done.reports) }
    failpoint('merge.gate.after')
    const verdict = gateVerdict(this.#spec, { checks: this.#done.reports as unknown as JsonValue })
    if (verdict.verdict === 'pass') return null
    const failed = failedChecks(verdict)
    const reason = `on top of ${this.#spec.into} these checks do not pass: ${failed}`
    await this.#keep(candidate)
    const atFault = verdict.checks.some(
      ({ name, passed, onFail }) => !passed && onFail !== 'allow' && !this.#isOpinion(name),
    )
    const checks = checkedOf(this.#done.reports)
    await journal.note(this.#assignment, 'refuse', { target, candidate, reason, checks, atFault })
    const output = { state: 'refused', target, failed, candidate, conflict: refusalText(reason, verdict.checks) }
    return this.#handBack(output, mergeErrors['merge-refused'](reason))
  }

  /** False where somebody else moved the branch meanwhile, or where those that were tested together do not go in together. */
  async #land(target: string, group: readonly StackEntry[]): Promise<boolean> {
    const { git } = this.#options
    const { into } = this.#spec
    const candidate = group.at(-1)!.candidate
    const checkouts = await checkoutsOf(git, this.#tree.commonDir, into)
    try {
      for (const path of checkouts) await refuseDirty(git, path, into, target, candidate)
    } catch (error) {
      if (group.length === 1 || !isAppError(error, 'merge-target-dirty')) throw error
      return this.#goAlone(group, error.message)
    }
    this.#context.signal.throwIfAborted()
    if (!(await this.#noteLanding(group))) return this.#goAlone(group, 'one of those that were tested together is gone')
    failpoint('merge.land.before')
    const args = ['update-ref', '-m', `leanvibe: ${this.#assignment.taskId}`, `refs/heads/${into}`, candidate, target]
    const { exitCode } = await git.run(this.#tree.commonDir, args, { exitCodes: [0, 1, 128] })
    failpoint('merge.land.after')
    if (exitCode !== 0) {
      if ((await this.#branchTip()) === target) throw mergeErrors['merge-target-moving'](`${into} is locked by others`)
      await this.#giveBack(group.slice(1), null, 'somebody else moved the branch meanwhile')
      return false
    }
    await this.#followAll(target, candidate)
    return true
  }

  async #noteLanding(group: readonly StackEntry[]): Promise<boolean> {
    const { journal } = this.#options
    const checks = checkedOf(this.#done?.reports ?? [])
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
    const { gitDir, workTree } = this.#tree
    const options = { signal: this.#context.signal, timeoutMs: 600_000 }
    return settleAt(this.#options.git, { gitDir, workTree }, group.at(-1)!.candidate, options)
  }

  async #followAll(target: string, candidate: string): Promise<void> {
    const { git } = this.#options
    for (const path of await checkoutsOf(git, this.#tree.commonDir, this.#spec.into)) {
      if (await follow(git, path, target, candidate)) continue
      const hint = `git read-tree -m -u ${target} ${candidate}`
      await this.#say(`${path} was edited just now and does not follow ${this.#spec.into}; there, later: ${hint}`)
    }
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
    const shared = this.#together
    if (group.length < 2 || shared === null)
      await journal.note(this.#assignment, 'merge', { target, candidate: commit })
    else {
      const notes = notesOf(group).map(({ taskId, note }, index) => ({
        taskId,
        note: index === 0 ? note : { ...note, landed: tellAs(shared, this.#self, group[index]!) },
      }))
      await journal.noteAll(this.#assignment, 'merge', notes)
    }
    failpoint('merge.told.after')
    await this.#say(`${this.#spec.into} is at ${group.at(-1)?.candidate ?? commit}`)
    return this.#end('succeeded', { state: 'merged', merged: true, commit, target }, null)
  }

  /** What did not go in is a result where the step hands it back, and a failure elsewhere. */
  #handBack(output: JsonObject, error: Error & { readonly code: string }): AttemptEnd {
    if (this.#spec.onConflict === 'hand-back') return this.#end('succeeded', output, null)
    return this.#end('failed', output, { code: error.code, message: error.message, retry: 'never' })
  }

  #end(outcome: AttemptEnd['outcome'], output: JsonObject | null, error: AttemptEnd['error']): AttemptEnd {
    const usage = this.#done?.usage ?? { cpuSeconds: 0, maxRssBytes: null, wallSeconds: 0 }
    return {
      outcome,
      output: output === null ? null : outputOf(this.#spec, this.#done?.reports ?? [], output),
      error,
      usage: { ...usage, wallSeconds: (performance.now() - this.#from) / 1_000 },
      artifacts: this.#done?.artifacts ?? [],
      survivors: this.#done?.survivors ?? 0,
    }
  }

  /** A next step may begin at what did not pass. */
  async #keep(candidate: string): Promise<void> {
    const { runId, taskId } = this.#assignment
    const args = ['update-ref', `refs/leanvibe/${runId}/${taskId}/candidate`, candidate]
    await this.#options.git.run(this.#tree.commonDir, args)
  }

  /** A check of how sure somebody is says nothing of whether the work is right. */
  #isOpinion(name: string): boolean {
    return this.#spec.checks.some((check) => check.name === name && 'check' in check && check.check === 'confidence')
  }

  async #branchTip(): Promise<string> {
    const tip = await this.#find(`refs/heads/${this.#spec.into}`)
    if (tip !== null) return tip
    throw mergeErrors['merge-target-missing'](`there is no branch ${this.#spec.into} in ${this.#assignment.repo?.path}`)
  }

  async #commitOf(name: string): Promise<string> {
    const commit = await this.#find(name)
    if (commit !== null) return commit
    throw mergeErrors['merge-target-missing'](`there is no commit ${name} in ${this.#assignment.repo?.path}`)
  }

  async #find(name: string): Promise<string | null> {
    const args = ['rev-parse', '--verify', '--quiet', `${name}^{commit}`]
    const { exitCode, stdout } = await this.#options.git.run(this.#tree.commonDir, args, { exitCodes: [0, 1, 128] })
    return exitCode === 0 ? stdout.toString('utf8').trim() : null
  }

  async #isIn(commit: string, tip: string): Promise<boolean> {
    const args = ['merge-base', '--is-ancestor', commit, tip]
    return (await this.#options.git.run(this.#tree.commonDir, args, { exitCodes: [0, 1, 128] })).exitCode === 0
  }

  async #say(text: string): Promise<void> {
    await this.#context.log('stderr', Buffer.from(`${text}\n`))
  }
}
