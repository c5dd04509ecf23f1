import { isAppError, messageOf } from '../../../../foundation/kernel/errors.ts'
import { CappedOutput } from '../../../../foundation/platform/processes/index.ts'
import type { SessionContext } from '../../sessions/agent-session.ts'
import type { Permissions } from '../../sessions/permissions.ts'
import type { ToolCall, ToolDefinition, ToolResult } from '../conversation.ts'
import type { Tool } from './tool.ts'

export interface ToolBox {
  readonly definitions: readonly ToolDefinition[]
  /** What goes wrong is a result, too. Rejects when the attempt ends, and where the host cannot keep what the pool demands. */
  use(call: ToolCall): Promise<ToolResult>
}

export interface ToolBoxOptions {
  readonly tools: readonly Tool[]
  readonly permissions: Permissions
  readonly context: SessionContext
  /** Of each result; of more, the beginning and the end are kept. */
  readonly outputBytes: number
  /** Wraps what waits for people: it is not the model's silence. */
  readonly waiting: <T>(answer: Promise<T>) => Promise<T>
}

/** The tools of a model: each call is decided by the rules of the pool, written to the log, and bounded. */
export function createToolBox({ tools, permissions, context, outputBytes, waiting }: ToolBoxOptions): ToolBox {
  const byName = new Map(tools.map((tool) => [tool.name, tool]))
  let count = 0

  async function answer({ id, name, input }: ToolCall, key: string): Promise<string> {
    const tool = byName.get(name)
    if (tool === undefined) context.tools.started(key, { tool: name, kind: 'other', title: 'there is no such tool' })
    if (tool === undefined) throw new Refusal(`there is no tool ${name}; there are ${[...byName.keys()].join(', ')}`)
    if (input === null) throw new Refusal('the arguments are no JSON object')
    const title = tool.title(input)
    await context.note(`tool ${name}: ${title}`)
    if (tool.kind !== null) {
      context.tools.started(key, { tool: name, kind: tool.kind, title })
      const details = { tool: name, ...(JSON.stringify(input).length > 32_768 ? {} : { input }) }
      const wanted = { key: `${id}/${name}`.slice(0, 200), kind: tool.kind, tool: name, title, outside: false, details }
      const verdict = await waiting(permissions.decide(wanted))
      if (!verdict.allowed) throw new Refusal(`not allowed: ${verdict.reason ?? 'refused'}`)
    }
    return waiting(tool.call(input))
  }

  return {
    definitions: tools.map(({ name, description, input }) => ({ name, description, input })),
    async use(call) {
      context.signal.throwIfAborted()
      count += 1
      const key = String(count)
      try {
        const text = await capped(await answer(call, key), outputBytes)
        context.tools.ended(key, 'completed')
        return { id: call.id, text: context.masker.text(text), failed: false }
      } catch (error) {
        context.signal.throwIfAborted()
        context.tools.ended(key, error instanceof Refusal ? 'refused' : 'failed')
        if (isAppError(error, 'confinement-missing')) throw error
        const message = context.masker.text(await capped(wordsOf(error), outputBytes))
        await context.note(`tool ${call.name}: ${message}`)
        return { id: call.id, text: `error: ${message}`, failed: true }
      }
    },
  }
}

class Refusal extends Error {}

function wordsOf(error: unknown): string {
  const { code, path } = error as NodeJS.ErrnoException
  if (code === 'ENOENT' && path !== undefined) return 'there is no such file'
  if (code === 'EISDIR') return 'that is a folder'
  if (code === 'ENOTDIR') return 'that is no folder'
  return messageOf(error)
}

async function capped(text: string, most: number): Promise<string> {
  const bytes = Buffer.from(text)
  if (bytes.length <= most) return text
  const kept: Buffer[] = []
  const output = new CappedOutput((chunk) => void kept.push(Buffer.from(chunk)), most)
  await output.write(bytes)
  await output.finish()
  // What was cut in the middle of a character is not text any more.
  return Buffer.concat(kept).toString('utf8').replaceAll('\uFFFD', '')
}
