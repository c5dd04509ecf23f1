import type { JsonValue } from '../../foundation/kernel/json.ts'
import type { TaskWorker } from '../agents/task-worker.ts'
import type { ResolvedGate } from '../workflows/task-contract.ts'
import { type CheckTools, runChecks } from './run-checks.ts'

/** Does the checks of gates. Each passes or does not; the gate itself is judged by the run. */
export function createGateWorker(tools: CheckTools): TaskWorker {
  return {
    async run(assignment, context, start) {
      const spec = assignment.spec as ResolvedGate
      const change = await changeOf(tools, context.tree, assignment.repo?.commit ?? null, context.workdir)
      const done = await runChecks(spec.checks, { assignment, context, start, change }, tools)
      const { usage, survivors, artifacts, failure } = done
      const base = { usage, survivors, artifacts, output: null }
      if (context.signal.aborted) {
        const error = { code: 'cancelled', message: String(context.signal.reason), retry: 'never' as const }
        return { ...base, outcome: 'cancelled', error }
      }
      if (failure !== null) return { ...base, outcome: 'failed', error: failure }
      return { ...base, outcome: 'succeeded', output: { checks: done.reports as unknown as JsonValue }, error: null }
    },
  }
}

/** From where the work left the run's commit to where it ended; null where there is no such way. */
async function changeOf(
  { git }: CheckTools,
  tree: { readonly gitDir: string; readonly base: string } | null,
  commit: string | null,
  workdir: string,
): Promise<{ readonly from: string; readonly to: string } | null> {
  if (tree === null || commit === null) return null
  const place = { gitDir: tree.gitDir, workTree: workdir }
  const { exitCode, stdout } = await git.run(place, ['merge-base', commit, tree.base], { exitCodes: [0, 1] })
  return exitCode === 0 ? { from: stdout.toString('utf8').trim(), to: tree.base } : null
}
