import type { ExplainedMerge, MergeNeighbour, MergeStep } from './merges-contract.ts'

export type MergeFacts = Omit<ExplainedMerge, 'story'>

/** Which merge left a branch at a commit. */
export type MakerOf = (commit: string) => Pick<MergeNeighbour, 'id' | 'runId' | 'step' | 'item'> | undefined

/** The whole of a merge in sentences, in the order in which it happened. Pure. */
export function tellMerge({ merge, waitedFor, waitedMs, history }: MergeFacts, makerOf: MakerOf): readonly string[] {
  return [
    `${merge.queuedAt}: ${nameOf(merge)} brings ${short(merge.commit)} into ${merge.branch} of ${merge.repo}.`,
    orderOf(merge.branch, waitedFor),
    merge.startedAt === null
      ? merge.endedAt === null
        ? `It has waited ${seconds(waitedMs)}: ${merge.explanation}.`
        : `It never began: ${merge.explanation}.`
      : `It began after ${seconds(waitedMs)}.`,
    ...history.map((step, index) => `${step.at}: ${sentenceOf(step, history[index - 1], merge, makerOf)}`),
    ...(history.length > 0 || merge.startedAt === null ? [] : [`It is ${merge.state}: ${merge.explanation}.`]),
  ]
}

/** Those that came first go first: the order is that of arrival. */
function orderOf(branch: string, waitedFor: readonly MergeNeighbour[]): string {
  if (waitedFor.length === 0) return `Nothing was before it in the queue of ${branch}: its turn was at once.`
  const shown = waitedFor
    .slice(0, 10)
    .map((other) => `${nameOf(other)} (${other.state}${other.endedAt === null ? '' : ` at ${other.endedAt}`})`)
  const more = waitedFor.length - shown.length
  return `${waitedFor.length} came before it in the queue of ${branch}, and go first: ${shown.join(', ')}${more > 0 ? `, and ${more} more` : ''}.`
}

function sentenceOf(
  step: MergeStep,
  before: MergeStep | undefined,
  { id, branch }: MergeFacts['merge'],
  makerOf: MakerOf,
): string {
  const { state, target, candidate, placed, checks, reason, files, batch } = step
  const maker = target === undefined ? undefined : makerOf(target)
  switch (state) {
    case 'rebasing': {
      const why =
        before?.state === 'landing' && before.target !== target
          ? 'somebody else moved the branch meanwhile, so it '
          : 'it '
      const where = maker === undefined ? '' : `, where ${nameOf(maker)} left it`
      if (batch !== undefined && batch.leader !== id)
        return `${nameOf(batch.members[0]!)}, whose turn it is, takes it along: ${why}is put on top of ${short(target)}${where}.`
      return `${why}is put on top of ${branch} at ${short(target)}${where}.`
    }
    case 'testing':
      return `${placedText(placed, branch)} The result is ${short(candidate)}, and is checked${togetherText(batch, id) || ' by itself'}.`
    case 'landing':
      if (batch !== undefined)
        return `${checksText(checks)} ${branch} moves in one step from what it is to the result of all ${batch.members.length}, which is what was checked, unless somebody else moved it; each of them has one ${batch.members.length}th of what the checks cost.`
      return `${checksText(checks)} ${branch} moves from ${short(target)} to ${short(candidate)}, unless somebody else moved it.`
    case 'merged':
      return candidate === target ? `${branch} holds it already.` : `merged: ${branch} is at ${short(candidate)}.`
    case 'conflict':
      return `not merged: ${reason ?? `${(files ?? []).length} files are in conflict`}. ${branch} stays at ${short(target)}.`
    case 'refused':
      return `not merged: ${checksText(checks)} ${branch} stays at ${short(target)}.`
    case 'queued':
      return `back to the queue: ${reason ?? 'it begins again'}.`
    default:
      return `${state}${reason === undefined || reason === '' ? '' : `: ${reason}`}.`
  }
}

/** Of several that are put on one another in their order, one run of the checks tells of all. */
function togetherText(batch: MergeStep['batch'], id: string): string {
  if (batch === undefined) return ''
  const others = batch.members.filter((member) => member.id !== id).map(nameOf)
  const number = batch.members.findIndex((member) => member.id === id) + 1
  return ` together with ${others.join(', ')}, as was asked for: number ${number} of ${batch.members.length}, put on one another in the order of the queue; only the last result is checked, and ${number === batch.members.length ? 'that is this one' : 'this one is not checked by itself, nor will the branch stand at it'}`
}

function placedText(placed: MergeStep['placed'], branch: string): string {
  if (placed === undefined) return 'what it brings is there already.'
  const commits = placed.commits === 1 ? '1 commit' : `${placed.commits} commits`
  const left = placed.leftOut === 0 ? '' : ` ${placed.leftOut} left out, as ${branch} has what they do.`
  switch (placed.how) {
    case 'fast-forward':
      return `${branch} has not moved since the work began: its ${commits} ${placed.commits === 1 ? 'stays as it is' : 'stay as they are'}.`
    case 'rebase':
      return `${commits} rebased.${left}`
    case 'merge':
      return `${commits} joined by a merge commit.`
    case 'squash':
      return `${commits} made one.`
  }
}

function checksText(checks: MergeStep['checks']): string {
  if (checks === undefined || checks.length === 0) return 'no checks were asked for.'
  const told = checks.map(({ name, passed, summary }) => {
    const said = summary === undefined || summary === '' ? '' : ` (${summary})`
    return `${name} ${passed ? 'passed' : 'did not pass'}${said}`
  })
  return `${told.join('; ')}.`
}

function nameOf({ step, item, runId }: Pick<MergeNeighbour, 'step' | 'item' | 'runId'>): string {
  return `${step}${item === null ? '' : `[${item}]`} of ${runId}`
}

function short(commit: string | null | undefined): string {
  return commit ? commit.slice(0, 12) : 'nothing'
}

function seconds(ms: number): string {
  return ms < 10_000 ? `${(ms / 1_000).toFixed(1)} s` : `${Math.round(ms / 1_000)} s`
}
