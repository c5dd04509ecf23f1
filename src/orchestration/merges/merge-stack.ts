import type { ArtifactRef } from '../runners/exchange-contract.ts'
import type { ResolvedCheck, ResolvedMerge } from '../workflows/task-contract.ts'
import type { Candidate } from './build-candidate.ts'
import type { Landed, WaitingMerge } from './merge-journal.ts'
import type { MergeBatch, Placement } from './merges-contract.ts'

/** A merge put on top of what is before it. */
export interface StackEntry {
  readonly merge: WaitingMerge
  /** On what it was put: the branch, or the result of the one before. */
  readonly target: string
  readonly candidate: string
  readonly placed?: Placement
  /** What was checked of its own change. */
  readonly own: Landed
}

/** What a stack is built with: git, and the checks of single changes. */
export interface StackTools {
  /** Null: there is no such commit. */
  commitOf(name: string): Promise<string | null>
  /** The worktree is at `target`, and at the result afterwards, unless it is a conflict. */
  build(spec: ResolvedMerge, commit: string, target: string): Promise<Candidate>
  /** Checks of the change alone. Null: they do not pass, or say nothing. */
  check(entry: Omit<StackEntry, 'own'>): Promise<Landed | null>
}

/**
 * Puts merges on one another, in their order, from the first on. It ends before one that does not fit, so that nobody is
 * overtaken: that one is looked at by itself, in its turn. `clean`: the worktree is at the top.
 */
export async function stackUp(
  first: StackEntry,
  line: readonly WaitingMerge[],
  tools: StackTools,
): Promise<{ readonly stack: readonly StackEntry[]; readonly clean: boolean }> {
  const stack = [first]
  for (const merge of line) {
    const target = stack.at(-1)!.candidate
    const commit = await tools.commitOf(merge.spec.commit)
    if (commit === null) return { stack, clean: true }
    const built = await tools.build(merge.spec, commit, target)
    if (built.kind === 'conflict') return { stack, clean: false }
    const entry =
      built.kind === 'already'
        ? { merge, target, candidate: target }
        : { merge, target, candidate: built.commit, placed: built.placed }
    const own = await tools.check(entry)
    if (own === null) return { stack, clean: false }
    stack.push({ ...entry, own })
  }
  return { stack, clean: true }
}

/** A check that judges how a change looks, not what the branch becomes: of several it is done for each. */
export function isOfChange(check: ResolvedCheck): boolean {
  return 'check' in check && check.check === 'size'
}

export function batchOf(stack: readonly StackEntry[]): MergeBatch {
  const members = stack.map(({ merge: { taskId: id, runId, step, item } }) => ({ id, runId, step, item }))
  return { leader: members[0]!.id, members }
}

/** What checks of all of them found, as one of them tells it: its evidence stands under its own step. */
export function tellAs(shared: Landed, leader: WaitingMerge, { merge, own }: StackEntry): Landed {
  const from = evidenceFolder(leader)
  const to = evidenceFolder(merge)
  const renamed = (name: string) => (name.startsWith(from) ? to + name.slice(from.length) : name)
  const artifacts = shared.artifacts.map((artifact): ArtifactRef => ({ ...artifact, name: renamed(artifact.name) }))
  const checks = shared.checks.map((report) =>
    report.evidence === undefined ? report : { ...report, evidence: renamed(report.evidence) },
  )
  return { checks: [...own.checks, ...checks], artifacts: [...own.artifacts, ...artifacts] }
}

function evidenceFolder({ step, item }: WaitingMerge): string {
  return `gate/${item === null ? step : `${step}-${item}`}/`
}
