import type { Depth, WorkflowSource } from '../orchestration/workflows/workflow-contract.ts'

export interface SpawnOptions {
  readonly depth: Depth
  /** Null: nobody in particular. */
  readonly persona: string | null
  readonly pool: string
  /** How many agents do the task side by side. */
  readonly side: number
  /** Each agent works in a worktree of its own. */
  readonly worktree: boolean
}

/** The workflow of `leanvibe spawn` as text (JSON is YAML): one task, which arrives as an input and so is never code. */
export function spawnWorkflow({ depth, persona, pool, side, worktree }: SpawnOptions): string {
  const agent = {
    agent: { prompt: '${{ inputs.task }}', depth, ...(persona === null ? {} : { persona }) },
    pool,
    labels: { depth },
    ...(worktree ? { workspace: 'worktree' as const } : {}),
    outputs: { answer: 'stdout' as const },
  }
  const items = Array.from({ length: side }, (_, index) => index + 1)
  const task = side === 1 ? agent : { map: { over: items, step: agent, tolerate: side - 1 } }
  const workflow = {
    name: 'spawn',
    description: 'One task for one agent, or for several side by side.',
    inputs: { task: { type: 'string' } },
    steps: { task },
    // A list for several; an answer that is too long to show is an artifact.
    outputs: { summary: '${{ steps.task.outputs.answer }}' },
  }
  return JSON.stringify(workflow satisfies Loose<WorkflowSource>, null, 2)
}

/** The contract's input type asks for `kind`, which authors leave out. */
type Loose<T> = { readonly [K in keyof T]?: unknown }
