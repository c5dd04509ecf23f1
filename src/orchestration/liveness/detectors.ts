import type { RunId, TenantId } from '../../foundation/kernel/ids.ts'
import { formatDuration } from '../../foundation/kernel/units.ts'
import type { RecentRun, RunAtWork, TaskAttempts, TaskAtWork } from '../runs/liveness-figures.ts'
import type { DetectorName, LivenessPolicy } from './liveness-contract.ts'
import { tailCycles, tailRepeats } from './sequences.ts'

/** Something that looks alive and is not, or does more than it should. */
export interface Suspicion {
  readonly tenant: TenantId
  readonly detector: DetectorName
  readonly subject: { readonly kind: 'task' | 'runs' | 'tenant'; readonly id: string }
  /** Open runs that are to be paused. */
  readonly runs: readonly RunId[]
  /** Schedules that would start more of them. */
  readonly schedules: readonly string[]
  readonly explanation: string
}

/** What happened before this time was looked at when somebody said to go on; per subject. */
export type SeenUntil = (detector: DetectorName, subject: string) => Date | null

export function findNoProgress(tasks: readonly TaskAtWork[], policy: LivenessPolicy, now: Date): Suspicion[] {
  const { afterMs } = policy.no_progress
  return tasks
    .filter((task) => now.getTime() - task.progressAt.getTime() >= afterMs)
    .map((task) => ({
      tenant: task.tenant,
      detector: 'no_progress',
      subject: { kind: 'task', id: task.taskId },
      runs: [task.runId],
      schedules: [],
      explanation: `${task.step} has shown no progress for ${formatDuration(now.getTime() - task.progressAt.getTime())}, in attempt ${task.attempt} on ${task.agentId}`,
    }))
}

/** Attempts of one task that end alike, or in one of two ways in turn. */
export function findRepeatedAttempts(
  tasks: readonly TaskAttempts[],
  policy: LivenessPolicy,
  seen: SeenUntil,
): Suspicion[] {
  return tasks.flatMap((task) => {
    const base = {
      tenant: task.tenant,
      subject: { kind: 'task', id: task.taskId },
      runs: [task.runId],
      schedules: [],
    } as const
    return judge(task.ends, policy, (detector) => seen(detector, task.taskId)).map(({ detector, words }) => ({
      ...base,
      detector,
      explanation: `attempts of ${task.step} ${words}`,
    }))
  })
}

/** Runs of one workflow with the same inputs that end alike or in turn, or are started too often. Schedules repeat by design. */
export function findRepeatedRuns(
  runs: readonly RecentRun[],
  policy: LivenessPolicy,
  now: Date,
  seen: SeenUntil,
): Suspicion[] {
  const lines = Map.groupBy(runs, (run) => `${run.tenant}/${run.line}`)
  return [...lines.values()].flatMap((line) => {
    const [first] = line
    const base = {
      tenant: first!.tenant,
      subject: { kind: 'runs', id: first!.line },
      runs: line.filter((run) => run.endedAt === null && run.state !== 'paused').map((run) => run.id),
      schedules: [...new Set(line.flatMap((run) => run.schedule ?? []))],
    } as const
    const ends = line
      .filter((run) => run.end !== null && run.schedule === null)
      .map((run) => ({ at: run.endedAt!, what: run.end! }))
    const repeated = judge(ends, policy, (detector) => seen(detector, first!.line)).map(({ detector, words }) => ({
      ...base,
      detector,
      explanation: `runs of ${first!.workflow} with the same inputs ${words}`,
    }))
    return [
      ...repeated,
      ...respawned(line, policy, now, seen).map((explanation) => ({
        ...base,
        detector: 'respawn_loop' as const,
        explanation,
      })),
    ]
  })
}

function respawned(line: readonly RecentRun[], policy: LivenessPolicy, now: Date, seen: SeenUntil): string[] {
  const { times, withinMs, enabled } = policy.respawn_loop
  if (!enabled) return []
  const [first] = line
  const from = Math.max(now.getTime() - withinMs, seen('respawn_loop', first!.line)?.getTime() ?? 0)
  const count = line.filter((run) => run.createdAt.getTime() > from).length
  if (count < times) return []
  return [`${first!.workflow} was started ${count} times with the same inputs within ${formatDuration(withinMs)}`]
}

function judge(
  ends: readonly { readonly at: Date; readonly what: string }[],
  policy: LivenessPolicy,
  seen: (detector: DetectorName) => Date | null,
): { readonly detector: DetectorName; readonly words: string }[] {
  const after = (detector: DetectorName) => {
    const until = seen(detector)
    return ends.filter((end) => until === null || end.at > until).map((end) => end.what)
  }
  const found: { detector: DetectorName; words: string }[] = []
  const same = after('repeated_outputs')
  const repeats = tailRepeats(same)
  if (policy.repeated_outputs.enabled && repeats >= policy.repeated_outputs.times) {
    found.push({
      detector: 'repeated_outputs',
      words: `ended alike ${repeats} times in a row: ${shortened(same.at(-1)!)}`,
    })
  }
  const turns = after('oscillation')
  const cycles = tailCycles(turns)
  if (policy.oscillation.enabled && cycles >= policy.oscillation.cycles) {
    const [a, b] = [shortened(turns.at(-2)!), shortened(turns.at(-1)!)]
    found.push({ detector: 'oscillation', words: `went back and forth ${cycles} times between "${a}" and "${b}"` })
  }
  return found
}

/**
 * Tenants that want more agents than they may have. The limit is kept where tasks are leased; here it is told, and the youngest
 * runs are named that would have to stop for the others to keep to it. Where the policy is only to tell, nothing is kept.
 */
export function findFanOut(runs: readonly RunAtWork[], policyOf: (tenant: TenantId) => LivenessPolicy): Suspicion[] {
  return [...Map.groupBy(runs, (run) => run.tenant)].flatMap(([tenant, own]) => {
    const { maxParallelAgents: limit, enabled, action } = policyOf(tenant).runaway_fan_out
    const atWork = own.reduce((sum, run) => sum + run.atWork, 0)
    const heldBack = own.reduce((sum, run) => sum + run.heldBack, 0)
    if (!enabled || limit === null || atWork + heldBack <= limit) return []
    if (action !== 'note' && heldBack === 0) return []
    const waiting = heldBack === 0 ? '' : `; ${heldBack} more wait until others end`
    return [
      {
        tenant,
        detector: 'runaway_fan_out' as const,
        subject: { kind: 'tenant' as const, id: tenant },
        runs: action === 'act' ? [] : beyond(own, limit),
        schedules: [],
        explanation: `${atWork} tasks are at work at a time, and maxParallelAgents is ${limit}${waiting}`,
      },
    ]
  })
}

/** The youngest runs, so many that the others keep to the limit. */
function beyond(runs: readonly RunAtWork[], limit: number): RunId[] {
  const chosen: RunId[] = []
  let left = runs.reduce((sum, run) => sum + run.atWork + run.heldBack, 0)
  for (const run of [...runs].sort((a, b) => b.startedAt.getTime() - a.startedAt.getTime())) {
    if (left <= limit) break
    chosen.push(run.runId)
    left -= run.atWork + run.heldBack
  }
  return chosen
}

function shortened(text: string): string {
  const flat = text.trim().replaceAll(/\s+/g, ' ')
  return flat.length > 120 ? `${flat.slice(0, 119)}…` : flat
}
