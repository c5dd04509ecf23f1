import { relative } from 'node:path'
import { z } from '../../../../foundation/kernel/schema.ts'
import type { PathGuard } from '../../sessions/path-guard.ts'
import { llmErrors } from '../llm-errors.ts'
import { defineTool } from './define-tool.ts'
import type { RunProcess } from './run-process.ts'
import type { Tool } from './tool.ts'

const timeoutMs = 30_000

/** Text in files, by grep, which takes no longer for a pattern made to be slow and follows no links. */
export function createSearchTool(guard: PathGuard, run: RunProcess): Tool {
  return defineTool({
    name: 'search',
    kind: 'search',
    description:
      'Finds lines by an extended regular expression; gives back file:line:text. `names` is a glob of file names.',
    input: z.strictObject({
      pattern: z.string().min(1).max(10_000),
      path: z.string().max(4_000).optional().describe('a folder or file; default: the working folder'),
      names: z.string().min(1).max(200).optional().describe('such as *.ts'),
    }),
    title: (input) => `search ${input.pattern}`.slice(0, 2_000),
    async call({ pattern, path = '.', names }) {
      const top = await guard.inside('.')
      const place = relative(top, await guard.inside(path)) || '.'
      const argv = ['grep', '-rnIE', '--exclude-dir=.git', '--exclude-dir=node_modules']
      const only = names === undefined ? [] : [`--include=${names}`]
      const { exitCode, why, output } = await run([...argv, ...only, '-e', pattern, '--', place], {
        cwd: top,
        timeoutMs,
      })
      if (why !== null) return `${output}\n${why}`
      if (exitCode === 1) return 'nothing found'
      if (exitCode !== 0) throw llmErrors['tool-failed'](output.trim() || `grep ended with ${exitCode}`)
      return output.replaceAll(/^\.\//gm, '')
    },
  })
}
