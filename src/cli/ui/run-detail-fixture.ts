import type { RunDetail, StepView, TaskView } from '../../orchestration/runs/runs-contract.ts'

/** The moment all fixtures look at: 90 s after the run began. */
export const fixtureNow = Date.parse('2026-01-01T00:01:30Z')
const began = '2026-01-01T00:00:00.000Z'

export function stepOf(id: string, state: StepView['state'], more: Partial<StepView> = {}): StepView {
  const ended = ['succeeded', 'failed', 'cancelled', 'timed-out', 'skipped'].includes(state)
  return {
    id,
    kind: 'command',
    needs: [],
    state,
    reason: null,
    total: 1,
    open: ended ? 0 : 1,
    failed: state === 'failed' ? 1 : 0,
    outputs: null,
    startedAt: state === 'pending' || state === 'skipped' ? null : began,
    endedAt: ended ? '2026-01-01T00:00:05.000Z' : null,
    ...more,
  }
}

export function taskOf(step: string, state: TaskView['state'], more: Partial<TaskView> = {}): TaskView {
  return {
    id: `task_${step}${more.item ?? ''}`,
    runId: 'run_1',
    step,
    item: null,
    state,
    reason: null,
    attempt: 1,
    agentId: null,
    runnerId: null,
    priority: 5,
    output: null,
    agent: null,
    error: null,
    createdAt: began,
    startedAt: began,
    endedAt: null,
    ...more,
  }
}

export function detailOf(
  steps: readonly StepView[],
  tasks: readonly TaskView[] = [],
  run: Partial<RunDetail['run']> = {},
): RunDetail {
  return {
    run: {
      id: 'run_1',
      workflow: 'checkup',
      version: 1,
      state: 'running',
      rev: 1,
      inputs: {},
      outputs: null,
      error: null,
      repo: null,
      priority: 5,
      labels: {},
      depth: null,
      origin: null,
      createdAt: began,
      startedAt: began,
      endedAt: null,
      ...run,
    },
    steps: [...steps],
    tasks: [...tasks],
    artifacts: [],
  }
}
