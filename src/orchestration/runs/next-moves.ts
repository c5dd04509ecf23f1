import { isTaskEnded, type TaskState } from './states-contract.ts'

/** A step as the graph of a run sees it. */
export interface StepNode {
  readonly id: string
  readonly needs: readonly string[]
  /** Belongs to `finally`: it runs when the others have ended, whatever happened. */
  readonly isFinally: boolean
  readonly allowFailure: boolean
}

export interface StepStatus {
  readonly state: TaskState
  /** For a skipped step: by its own `if`. Such a step counts as ended well. */
  readonly byCondition: boolean
}

export type RunOutcome = 'succeeded' | 'failed' | 'cancelled'

export interface RunSituation {
  /** In the order of the definition. */
  readonly steps: readonly StepNode[]
  readonly status: ReadonlyMap<string, StepStatus>
  readonly cancelRequested: boolean
  /** The cancellation was caused by the run's own timeout: it failed. */
  readonly timedOut: boolean
  /** Fixed once the ordinary steps have ended. */
  readonly outcome: RunOutcome | null
}

export type Move =
  | { readonly kind: 'activate'; readonly step: string }
  | { readonly kind: 'skip'; readonly step: string; readonly reason: string }
  | { readonly kind: 'conclude'; readonly outcome: RunOutcome }
  | { readonly kind: 'end'; readonly outcome: RunOutcome }

function endedWell(node: StepNode, status: StepStatus): boolean {
  if (status.state === 'succeeded') return true
  if (status.state === 'skipped') return status.byCondition
  return node.allowFailure && (status.state === 'failed' || status.state === 'timed-out')
}

/**
 * What a run does next. Apply the moves and ask again until there are none: an activation may end at once, a skip may
 * free others. `conclude` fixes the outcome of the ordinary steps, `end` is the last move of a run.
 */
export function nextMoves(run: RunSituation): readonly Move[] {
  const nodes = new Map(run.steps.map((step) => [step.id, step]))
  const statusOf = (id: string): StepStatus => run.status.get(id) ?? { state: 'pending', byCondition: false }
  const ordinary = run.steps.filter((step) => !step.isFinally)
  const last = run.steps.filter((step) => step.isFinally)
  const allEnded = (steps: readonly StepNode[]) => steps.every((step) => isTaskEnded(statusOf(step.id).state))
  const group = run.outcome === null ? ordinary : last

  const moves: Move[] = []
  for (const step of group) {
    if (statusOf(step.id).state !== 'pending') continue
    if (run.cancelRequested && run.outcome === null) {
      moves.push({ kind: 'skip', step: step.id, reason: 'the run was cancelled' })
      continue
    }
    const needs = step.needs.map((id) => ({ id, node: nodes.get(id)!, status: statusOf(id) }))
    if (!needs.every((need) => isTaskEnded(need.status.state))) continue
    const bad = needs.find((need) => !endedWell(need.node, need.status))
    if (bad === undefined) moves.push({ kind: 'activate', step: step.id })
    else moves.push({ kind: 'skip', step: step.id, reason: `needs ${bad.id}, which ${described(bad.status.state)}` })
  }
  if (moves.length > 0) return moves

  if (run.outcome === null) {
    if (!allEnded(ordinary)) return []
    return [
      {
        kind: 'conclude',
        outcome: run.timedOut ? 'failed' : run.cancelRequested ? 'cancelled' : outcomeOf(ordinary, statusOf),
      },
    ]
  }
  if (!allEnded(last)) return []
  const outcome = run.outcome === 'succeeded' ? outcomeOf(last, statusOf) : run.outcome
  return [{ kind: 'end', outcome }]
}

function outcomeOf(steps: readonly StepNode[], statusOf: (id: string) => StepStatus): RunOutcome {
  const states = steps.filter((step) => !endedWell(step, statusOf(step.id))).map((step) => statusOf(step.id).state)
  if (states.some((state) => state === 'failed' || state === 'timed-out')) return 'failed'
  if (states.some((state) => state === 'cancelled')) return 'cancelled'
  // What is left was skipped because of a need that did not end well.
  return states.length > 0 ? 'failed' : 'succeeded'
}

function described(state: TaskState): string {
  if (state === 'timed-out') return 'timed out'
  return state === 'failed' ? state : `was ${state}`
}

/** The state of a step whose tasks have all ended. */
export function stepStateOf(counts: {
  readonly total: number
  readonly failed: number
  readonly cancelled: number
  readonly tolerate: number
}): TaskState {
  if (counts.failed > counts.tolerate) return 'failed'
  if (counts.cancelled > 0) return 'cancelled'
  return 'succeeded'
}
