import { setTimeout as delay } from 'node:timers/promises'
import { z } from '../../foundation/kernel/schema.ts'
import { listApprovals } from '../../orchestration/approvals/approvals-contract.ts'
import { listQuestions } from '../../orchestration/questions/questions-contract.ts'
import { cancelRun, listRuns, runEvents, showRun, startRun } from '../../orchestration/runs/run-endpoints-contract.ts'
import { type RunDetail, runStateSchema } from '../../orchestration/runs/runs-contract.ts'
import { listWorkflows } from '../../orchestration/workflows/workflow-endpoints-contract.ts'
import { documentOf, type FleetTool, fleetTool, idField, pageFields, type ToolContext } from './fleet-tool.ts'

const run = idField.describe('Id of the run, such as run_01….')

export const runTools: readonly FleetTool[] = [
  fleetTool({
    name: 'list_workflows',
    title: 'List workflows',
    description: 'The workflows that can be started by name, with their inputs.',
    input: z.object({}),
    readOnly: true,
    endpoints: [listWorkflows],
    run: async (_, { api, signal }) => documentOf(await api.call(listWorkflows, { signal })),
  }),
  fleetTool({
    name: 'start_run',
    title: 'Start a run',
    description: 'Starts a run of a workflow and returns at once; `wait_run` waits for its end.',
    input: z.object({
      workflow: z.string().min(1).max(200).describe('As list_workflows names it.'),
      inputs: z.record(z.string(), z.json()).default({}),
      repo: z
        .string()
        .max(4_096)
        .optional()
        .describe('Absolute path of a git repository on the machine of the server.'),
      priority: z.int().min(1).max(10).optional(),
      parallel: z.int().min(1).max(10_000).optional().describe('At most this many tasks at a time.'),
      labels: z.record(z.string(), z.string()).default({}),
    }),
    readOnly: false,
    endpoints: [startRun],
    run: async (body, { api, signal }) => documentOf(await api.call(startRun, { body, signal })),
  }),
  fleetTool({
    name: 'list_runs',
    title: 'List runs',
    description: 'Runs, newest first.',
    input: z.object({
      ...pageFields,
      state: runStateSchema.optional(),
      workflow: z.string().max(200).optional(),
    }),
    readOnly: true,
    endpoints: [listRuns],
    run: async (query, { api, signal }) => documentOf(await api.call(listRuns, { query, signal })),
  }),
  fleetTool({
    name: 'show_run',
    title: 'Show a run',
    description: 'A run with the state of its steps and tasks, and its artifacts.',
    input: z.object({ run }),
    readOnly: true,
    endpoints: [showRun],
    run: async (input, { api, signal }) => {
      const detail = await api.call(showRun, { params: { id: input.run }, signal })
      return documentOf(shortened(detail))
    },
  }),
  fleetTool({
    name: 'wait_run',
    title: 'Wait for a run',
    description:
      'Waits until a run has ended, asks people something, or the time is over; call it again to go on. `waiting` lists what it asks.',
    input: z.object({ run, seconds: z.int().min(1).max(300).default(60) }),
    readOnly: true,
    endpoints: [showRun],
    run: (input, context) => waitFor(input.run, input.seconds * 1_000, context),
  }),
  fleetTool({
    name: 'run_events',
    title: 'Events of a run',
    description:
      'What was recorded of a run, oldest first. Keep `next`: with it as `after` the list goes on where it ended.',
    input: z.object({ run, ...pageFields }),
    readOnly: true,
    endpoints: [runEvents],
    run: async ({ run: id, ...query }, { api, signal }) =>
      documentOf(await api.call(runEvents, { params: { id }, query, signal })),
  }),
  fleetTool({
    name: 'cancel_run',
    title: 'Cancel a run',
    description: 'Asks a run to end: its processes are stopped, its `finally` steps still run.',
    input: z.object({ run, reason: z.string().max(1_000).optional() }),
    readOnly: false,
    endpoints: [cancelRun],
    run: async ({ run: id, reason }, { api, signal }) =>
      documentOf(await api.call(cancelRun, { params: { id }, body: { reason }, signal })),
  }),
]

const ended: ReadonlySet<string> = new Set(['succeeded', 'failed', 'cancelled'])
const firstLookMs = 500
const lastLookMs = 5_000

/** Looks less and less often. */
async function waitFor(id: string, patienceMs: number, { api, signal, progress }: ToolContext) {
  const until = performance.now() + patienceMs
  let pauseMs = firstLookMs
  let told = ''
  for (;;) {
    const { run: view, steps } = await api.call(showRun, { params: { id }, signal })
    const waiting = await openQuestions(id, { api, signal })
    const left = until - performance.now()
    const done = steps.filter((step) => ended.has(step.state) || step.state === 'skipped').length
    const message = `${view.state}: ${done} of ${steps.length} steps`
    if (message !== told) await progress(done, steps.length, message)
    told = message
    if (ended.has(view.state) || waiting.length > 0 || left <= 0) return documentOf({ run: view, waiting })
    await delay(Math.min(pauseMs, left), undefined, { signal })
    pauseMs = Math.min(lastLookMs, pauseMs * 1.5)
  }
}

/** What people are asked; nothing for callers who may not see it. */
async function openQuestions(run: string, { api, signal }: Pick<ToolContext, 'api' | 'signal'>) {
  if (!api.may(listApprovals)) return []
  const query = { run, state: 'pending', limit: 20 }
  const approvals = (await api.call(listApprovals, { query, signal })).items
  const questions = (await api.call(listQuestions, { query, signal })).items
  return [
    ...approvals.map(({ id, step, message }) => ({ kind: 'approval', id, step, message })),
    ...questions.map(({ id, step, message, choices }) => ({ kind: 'question', id, step, message, choices })),
  ]
}

/** Tasks that are of no interest any more are left out of what a model reads. */
function shortened({ tasks, ...detail }: RunDetail) {
  return { ...detail, tasks: tasks.filter(({ state }) => state !== 'succeeded' && state !== 'skipped').slice(0, 50) }
}
