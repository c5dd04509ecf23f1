import { opendir } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { z } from '../../../../foundation/kernel/schema.ts'
import type { PathGuard } from '../../sessions/path-guard.ts'
import { defineTool } from './define-tool.ts'
import type { Tool } from './tool.ts'

const mostEntries = 2_000
/** What nobody wants to see of a repository unless asked for by name. */
const passedOver: ReadonlySet<string> = new Set(['.git', 'node_modules'])

/** Names of files and folders, no links followed. */
export function createListTool(guard: PathGuard): Tool {
  return defineTool({
    name: 'list',
    kind: 'search',
    description:
      'Lists files and folders (with a slash at their end), down to `depth` levels. node_modules is left out unless it is named.',
    input: z.strictObject({
      path: z.string().max(4_000).optional().describe('default: the working folder'),
      depth: z.int().min(1).max(20).optional().describe('default 2'),
    }),
    title: (input) => `list ${input.path ?? '.'}`,
    async call({ path: wanted = '.', depth = 2 }) {
      const top = await guard.inside(wanted)
      const found: string[] = []
      const cut = await collect(top, top, depth, found)
      const rest = cut ? [`(the first ${mostEntries}; there are more)`] : []
      return [...found.sort(), ...rest].join('\n') || '(empty)'
    },
  })
}

/** Resolves to true where there is more than may be listed. */
async function collect(top: string, folder: string, depth: number, found: string[]): Promise<boolean> {
  const inner: string[] = []
  for await (const entry of await opendir(folder)) {
    if (passedOver.has(entry.name)) continue
    if (found.length >= mostEntries) return true
    const path = join(folder, entry.name)
    found.push(relative(top, path) + (entry.isDirectory() ? '/' : ''))
    if (entry.isDirectory() && depth > 1) inner.push(path)
  }
  for (const path of inner) if (await collect(top, path, depth - 1, found)) return true
  return false
}
