import { z } from '../../../../foundation/kernel/schema.ts'
import type { PathGuard } from '../../sessions/path-guard.ts'
import { defineTool } from './define-tool.ts'
import type { RunProcess } from './run-process.ts'
import type { Tool } from './tool.ts'

/** Commands, in the worktree. */
export function createRunTool(guard: PathGuard, run: RunProcess, timeoutMs: number): Tool {
  return defineTool({
    name: 'run',
    kind: 'execute',
    description:
      'Runs a program in the working folder and gives back its exit code and what it printed. `argv` is the program and its arguments; there is no shell unless you name one.',
    input: z.strictObject({
      argv: z.array(z.string().max(100_000)).min(1).max(1_000),
      folder: z.string().max(4_000).optional().describe('below the working folder'),
    }),
    title: (input) => input.argv.join(' ').slice(0, 2_000),
    async call({ argv, folder = '.' }) {
      const { exitCode, why, output } = await run(argv, { cwd: await guard.inside(folder), timeoutMs })
      return `${why ?? `exit code ${exitCode}`}\n${output}`
    },
  })
}
