import type { Clock } from '../../foundation/kernel/clock.ts'
import { isAppError } from '../../foundation/kernel/errors.ts'
import { failpoint } from '../../foundation/kernel/failpoints.ts'
import type { JsonObject, JsonValue } from '../../foundation/kernel/json.ts'
import type { Git } from '../../foundation/platform/git/index.ts'
import type { AttemptContext, AttemptEnd } from '../agents/agent-adapter.ts'
import type { StartProcess, TaskWorker } from '../agents/task-worker.ts'
import { type CheckResult, failedChecks, gateVerdict } from '../gates/gate-verdict-contract.ts'
import type { CheckPlace, ChecksDone } from '../gates/run-checks.ts'
import type { Assignment } from '../runners/exchange-contract.ts'
import type { ResolvedCheck, ResolvedMerge } from '../workflows/task-contract.ts'
import { checkoutsOf, follow, refuseDirty } from './branch-checkout.ts'
import { buildCandidate, type Candidate } from './build-candidate.ts'
import { mergeErrors } from './merge-errors.ts'
import type { MergeJournal } from './merge-journal.ts'
import type { Placement } from './merges-contract.ts'

export interface MergeWorkerOptions {
  readonly git: Git
  readonly journal: MergeJournal
  /** Does the checks; the `gates` part provides it. */
  readonly runChecks: (checks: readonly ResolvedCheck[], place: CheckPlace) => Promise<ChecksDone>
  readonly clock: Clock
}

/** How often it begins again because others moved the branch. */
const mostRounds = 5

/** Brings commits into branches, one at a time: on top, tested, and then by compare-and-swap of the branch. */
export function createMergeWorker(options: MergeWorkerOptions): TaskWorker {
  return {
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
  #done: ChecksDone | null = null

  constructor(options: MergeWorkerOptions, assignment: Assignment, context: AttemptContext, start: StartProcess) {
    if (context.tree === null) throw new Error('a merge is done in a worktree')
    this.#options = options
    this.#assignment = assignment
    this.#spec = assignment.spec as ResolvedMerge
    this.#context = context
    this.#start = start
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
      const candidate = await this.#build(target, commit, round === 1 && this.#context.tree?.base === target)
      if (candidate.kind === 'already') return this.#merged(target, target)
      if (candidate.kind === 'conflict') return this.#conflict(target, candidate)
      failpoint('merge.rebase.after')
      const ended = await this.#test(target, candidate.commit, candidate.placed)
      if (ended !== null) return ended
      if (await this.#land(target, candidate.commit)) return this.#merged(target, candidate.commit)
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
    return this.#merged(target, candidate)
  }

  #build(target: string, commit: string, fresh: boolean): Promise<Candidate> {
    const { into, method, message } = this.#spec
    const { gitDir, workTree } = this.#tree
    const { signal } = this.#context
    const at = this.#options.clock.now().toISOString()
    return buildCandidate(this.#options.git, {
      ...{ place: { gitDir, workTree }, fresh, target, commit, into, method, message, at, signal },
    })
  }

  /** Null where the checks pass. */
  async #test(target: string, candidate: string, placed: Placement): Promise<AttemptEnd | null> {
    const { journal, runChecks } = this.#options
    await journal.note(this.#assignment, 'test', { target, candidate, placed })
    failpoint('merge.gate.before')
    const change = { from: target, to: candidate }
    const place = { assignment: this.#assignment, context: this.#context, start: this.#start, change }
    const done = await runChecks(this.#spec.checks, place)
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
    await journal.note(this.#assignment, 'refuse', { target, candidate, reason, checks: this.#checked(), atFault })
    const output = { state: 'refused', target, failed, candidate, conflict: refusalText(reason, verdict.checks) }
    return this.#handBack(output, mergeErrors['merge-refused'](reason))
  }

  /** False where somebody else moved the branch meanwhile. */
  async #land(target: string, candidate: string): Promise<boolean> {
    const { git, journal } = this.#options
    const { into } = this.#spec
    const checkouts = await checkoutsOf(git, this.#tree.commonDir, into)
    for (const path of checkouts) await refuseDirty(git, path, into, target, candidate)
    this.#context.signal.throwIfAborted()
    await journal.note(this.#assignment, 'land', { target, candidate, checks: this.#checked() })
    failpoint('merge.land.before')
    const args = ['update-ref', '-m', `leanvibe: ${this.#assignment.taskId}`, `refs/heads/${into}`, candidate, target]
    const { exitCode } = await git.run(this.#tree.commonDir, args, { exitCodes: [0, 1, 128] })
    failpoint('merge.land.after')
    if (exitCode !== 0) {
      if ((await this.#branchTip()) === target) throw mergeErrors['merge-target-moving'](`${into} is locked by others`)
      return false
    }
    await this.#followAll(target, candidate)
    return true
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

  async #merged(target: string, commit: string): Promise<AttemptEnd> {
    await this.#options.journal.note(this.#assignment, 'merge', { target, candidate: commit })
    await this.#say(`${this.#spec.into} is at ${commit}`)
    return this.#end('succeeded', { state: 'merged', merged: true, commit, target }, null)
  }

  /** What did not go in is a result where the step hands it back, and a failure elsewhere. */
  #handBack(output: JsonObject, error: Error & { readonly code: string }): AttemptEnd {
    if (this.#spec.onConflict === 'hand-back') return this.#end('succeeded', output, null)
    return this.#end('failed', output, { code: error.code, message: error.message, retry: 'never' })
  }

  #end(outcome: AttemptEnd['outcome'], output: JsonObject | null, error: AttemptEnd['error']): AttemptEnd {
    const nothing = { merged: false, commit: null, candidate: null, conflict: null, files: [], failed: '' }
    const checks = (this.#done?.reports ?? []) as unknown as JsonValue
    const usage = this.#done?.usage ?? { cpuSeconds: 0, maxRssBytes: null, wallSeconds: 0 }
    return {
      outcome,
      output: output === null ? null : { ...nothing, into: this.#spec.into, checks, ...output },
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

  #checked(): { name: string; passed: boolean; summary?: string }[] {
    return (this.#done?.reports ?? []).map(({ name, passed, summary }) => ({
      ...{ name, passed },
      ...(summary === undefined ? {} : { summary: summary.slice(0, 500) }),
    }))
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

/** What did not pass, with the end of what it printed, for whoever is to correct it. */
function refusalText(reason: string, checks: readonly CheckResult[]): string {
  const failed = checks.filter(({ passed, onFail }) => !passed && onFail !== 'allow')
  const told = failed.map(({ name, summary, excerpt }) => {
    const lines = (excerpt ?? '').trimEnd().replaceAll(/^/gm, '      ')
    return `- ${name}: ${summary ?? 'did not pass'}${lines.trim() === '' ? '' : `\n\n${lines}`}`
  })
  return [reason, ...told].join('\n\n')
}
