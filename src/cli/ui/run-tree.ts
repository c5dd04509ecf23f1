import { formatDuration } from '../../foundation/kernel/units.ts'
import type { RunDetail, StepView, TaskView } from '../../orchestration/runs/runs-contract.ts'
import { oneLine, plural } from '../text.ts'

export type RowMood = 'open' | 'waiting' | 'live' | 'good' | 'bad' | 'skipped'

/** One line of the tree, without colours and symbols. */
export interface TreeRow {
  readonly key: string
  readonly depth: 0 | 1
  readonly mood: RowMood
  readonly label: string
  /** What there is to say about it: counts, agent, reason, error. */
  readonly note: string
  readonly elapsed: string
}

export interface RunTree {
  readonly title: string
  readonly mood: RowMood
  readonly status: string
  readonly rows: readonly TreeRow[]
}

export interface TreeOptions {
  readonly now: number
  /** Most rows to show; what has ended is folded first. Default: all. */
  readonly maxRows?: number
  /** Live items shown below a map step. Default 4. */
  readonly maxItems?: number
}

const moodOfState: Readonly<Record<string, RowMood>> = {
  pending: 'open',
  ready: 'open',
  waiting: 'waiting',
  paused: 'waiting',
  leased: 'live',
  running: 'live',
  succeeded: 'good',
  failed: 'bad',
  'timed-out': 'bad',
  cancelled: 'skipped',
  skipped: 'skipped',
}

export function moodOf(state: string): RowMood {
  return moodOfState[state] ?? 'open'
}

/** The tree of a run as it is at `now`. Pure: the same detail and time give the same rows. */
export function buildRunTree(detail: RunDetail, options: TreeOptions): RunTree {
  const { run, steps } = detail
  const tasksOf = Map.groupBy(detail.tasks, ({ step }) => step)
  const rows = steps.flatMap((step) => rowsOf(step, tasksOf.get(step.id) ?? [], options))
  return {
    title: oneLine(`${run.workflow} ${run.id}`),
    mood: moodOf(run.state),
    status: oneLine(`${run.state}, ${progressOf(steps)}, ${elapsedOf(run, options.now)}`),
    rows: fold(rows, options.maxRows ?? Number.POSITIVE_INFINITY),
  }
}

function progressOf(steps: readonly StepView[]): string {
  const ended = steps.filter(({ endedAt }) => endedAt !== null).length
  return `${ended}/${plural(steps.length, 'step')}`
}

function rowsOf(step: StepView, tasks: readonly TaskView[], { now, maxItems = 4 }: TreeOptions): TreeRow[] {
  const isMap = step.kind === 'map' || step.total > 1
  const task = isMap ? undefined : tasks.at(-1)
  const queued = isQueued(step, tasks)
  const row: TreeRow = {
    key: step.id,
    depth: 0,
    mood: queued ? 'open' : moodOf(step.state),
    label: oneLine(step.id, 60),
    note: queued ? queuedNote(tasks) : isMap ? mapNote(step, tasks) : taskNote(task, step.reason),
    // What a task waited for an agent is not what it took.
    elapsed: queued
      ? ''
      : elapsedOf(task?.startedAt ? { startedAt: task.startedAt, endedAt: step.endedAt } : step, now),
  }
  if (!isMap || step.endedAt !== null) return [row]
  const live = tasks.filter(({ state }) => moodOf(state) === 'live')
  const items = live.slice(0, maxItems).map(
    (each): TreeRow => ({
      key: each.id,
      depth: 1,
      mood: 'live',
      label: `#${each.item ?? 0}`,
      note: taskNote(each, null),
      elapsed: elapsedOf(each, now),
    }),
  )
  return [row, ...items]
}

/** A step whose turn has come, but which no agent has begun. */
function isQueued(step: StepView, tasks: readonly TaskView[]): boolean {
  return (
    step.endedAt === null &&
    tasks.length > 0 &&
    step.open === step.total &&
    tasks.every(({ state }) => state === 'ready')
  )
}

/** What it waits for, where that is known; the items of a map may wait for different things. */
function queuedNote(tasks: readonly TaskView[]): string {
  const reasons = [...new Set(tasks.flatMap(({ reason }) => (reason === null ? [] : [oneLine(reason)])))]
  if (reasons.length === 0) return 'queued'
  return `queued: ${reasons.slice(0, 2).join('; ')}${reasons.length > 2 ? '; ...' : ''}`
}

/** Of the items that have not begun: what most of those wait for of which it is known. */
function heldUpNote(tasks: readonly TaskView[]): string | null {
  const waiting = tasks.filter(({ state, reason }) => (state === 'ready' || state === 'waiting') && reason !== null)
  const [most] = [...Map.groupBy(waiting, ({ reason }) => reason!)].sort(([, a], [, b]) => b.length - a.length)
  if (most === undefined) return null
  const [reason, items] = most
  return `${items.length} ${items[0]!.state === 'waiting' ? 'waiting for' : 'queued:'} ${oneLine(reason)}`
}

function mapNote(step: StepView, tasks: readonly TaskView[]): string {
  const running = tasks.filter(({ state }) => moodOf(state) === 'live').length
  const parts = [`${step.total - step.open}/${step.total}`]
  if (running > 0) parts.push(`${running} running`)
  if (step.failed > 0) parts.push(`${step.failed} failed`)
  const heldUp = heldUpNote(tasks)
  if (heldUp !== null) parts.push(heldUp)
  if (step.reason !== null) parts.push(oneLine(step.reason))
  return parts.join(', ')
}

function taskNote(task: TaskView | undefined, stepReason: string | null): string {
  const parts: string[] = []
  if (task !== undefined && task.agentId !== null && moodOf(task.state) === 'live')
    parts.push(oneLine(shortAgent(task.agentId), 40))
  if (task !== undefined && task.attempt > 1) parts.push(`attempt ${task.attempt}`)
  const reason = task?.error?.message ?? stepReason ?? task?.reason
  if (reason && task?.state !== 'succeeded') parts.push(oneLine(reason))
  return parts.join(', ')
}

/** `rnr_01jd....local.2` as `local.2`: on one screen the runner is nearly always the same. */
function shortAgent(id: string): string {
  return id.replace(/^rnr_\w+\./, '')
}

function elapsedOf(span: { readonly startedAt: string | null; readonly endedAt: string | null }, now: number): string {
  if (span.startedAt === null) return ''
  const end = span.endedAt === null ? now : Date.parse(span.endedAt)
  return formatDuration(Math.max(0, end - Date.parse(span.startedAt)))
}

/** Folds rows until they fit: first what ended well, then what has not begun. What runs or failed stays. */
function fold(rows: readonly TreeRow[], most: number): TreeRow[] {
  let shown = [...rows]
  for (const moods of [['good', 'skipped'], ['open']] as const) {
    if (shown.length <= most) return shown
    const folded = shown.filter(({ mood }) => (moods as readonly RowMood[]).includes(mood))
    if (folded.length < 2) continue
    const label = moods[0] === 'good' ? 'done' : 'to do'
    const row: TreeRow = {
      key: label,
      depth: 0,
      mood: moods[0],
      label: plural(folded.length, 'step'),
      note: label,
      elapsed: '',
    }
    const first = shown.indexOf(folded[0]!)
    shown = shown.filter((each) => !folded.includes(each))
    shown.splice(first, 0, row)
  }
  return shown.length <= most ? shown : [...shown.slice(0, Math.max(0, most - 1)), more(shown.length - most + 1)]
}

function more(count: number): TreeRow {
  return { key: 'more', depth: 0, mood: 'open', label: `and ${plural(count, 'row')} more`, note: '', elapsed: '' }
}
