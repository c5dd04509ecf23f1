import { z } from '../../../../foundation/kernel/schema.ts'
import type { PathGuard } from '../../sessions/path-guard.ts'
import { llmErrors } from '../llm-errors.ts'
import { defineTool } from './define-tool.ts'
import type { Tool } from './tool.ts'

const largestFile = 16 * 1_048_576
const path = z.string().min(1).max(4_000).describe('relative to the working folder')

/** Read, write and edit: files of the worktree and no others. */
export function createFileTools(guard: PathGuard): readonly Tool[] {
  return [
    defineTool({
      name: 'read',
      kind: 'read',
      description: 'Reads a text file. `from` is the first line (1 is the first of the file), `lines` how many.',
      input: z.strictObject({
        path,
        from: z.int().min(1).optional(),
        lines: z.int().min(1).optional(),
      }),
      title: (input) => input.path,
      async call({ path: wanted, from = 1, lines }) {
        const text = await readText(guard, wanted)
        if (from === 1 && lines === undefined) return text
        const all = text.split('\n')
        return all.slice(from - 1, lines === undefined ? undefined : from - 1 + lines).join('\n')
      },
    }),
    defineTool({
      name: 'write',
      kind: 'edit',
      description: 'Writes a whole text file; folders that are missing are made.',
      input: z.strictObject({ path, content: z.string().max(largestFile) }),
      title: (input) => `write ${input.path}`,
      async call({ path: wanted, content }) {
        await using file = await guard.openToWrite(wanted)
        await file.writeFile(content)
        return `wrote ${Buffer.byteLength(content)} bytes to ${wanted}`
      },
    }),
    defineTool({
      name: 'edit',
      kind: 'edit',
      description:
        'Replaces `old` by `new` in a text file. `old` must stand there exactly once, spaces and line ends included, unless `all` is true.',
      input: z.strictObject({
        path,
        old: z.string().min(1).max(largestFile),
        new: z.string().max(largestFile),
        all: z.boolean().optional(),
      }),
      title: (input) => `edit ${input.path}`,
      async call({ path: wanted, old, new: replacement, all = false }) {
        const text = await readText(guard, wanted)
        const pieces = text.split(old)
        const found = pieces.length - 1
        if (found === 0) throw llmErrors['tool-failed'](`the text to replace is not in ${wanted}`)
        if (found > 1 && !all)
          throw llmErrors['tool-failed'](
            `the text to replace stands ${found} times in ${wanted}; give more of what is around it, or say all`,
          )
        await using file = await guard.openToWrite(wanted)
        await file.writeFile(pieces.join(replacement))
        return `replaced ${found} ${found === 1 ? 'place' : 'places'} in ${wanted}`
      },
    }),
  ]
}

async function readText(guard: PathGuard, wanted: string): Promise<string> {
  await using file = await guard.openToRead(wanted)
  const { size } = await file.stat()
  if (size > largestFile)
    throw llmErrors['tool-failed'](`${wanted} has ${size} bytes; files up to ${largestFile} bytes can be read`)
  const bytes = await file.readFile()
  if (bytes.subarray(0, 8_192).includes(0)) throw llmErrors['tool-failed'](`${wanted} is no text`)
  return bytes.toString('utf8')
}
