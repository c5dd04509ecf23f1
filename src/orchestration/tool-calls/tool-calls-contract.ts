import { z } from 'zod'
import { endpoint } from '../../foundation/platform/http/endpoint-contract.ts'
import { pageOf, pageQueryShape } from '../../foundation/platform/http/page-contract.ts'

/**
 * `started`: under way. `abandoned`: its agent ended before it did. `gathered`: calls that came too fast to be told one
 * by one, as one entry.
 */
export const toolCallStates = ['started', 'completed', 'failed', 'refused', 'abandoned', 'gathered'] as const
export type ToolCallState = (typeof toolCallStates)[number]

/** Characters of the name of a tool and of what people read of a call, at most. */
export const mostToolName = 100
export const mostTitle = 200

const count = z.int().min(0).max(2_147_483_647)

/** What a runner tells of one call, or of many at once: its newest state. */
export const toolCallNoteSchema = z.object({
  /** 0, 1, 2 ... within the attempt. */
  n: count,
  /** What the agent speaks: `acp`, `llm`, `mcp`. */
  source: z.string().min(1).max(20),
  tool: z.string().max(mostToolName),
  kind: z.string().min(1).max(20),
  title: z.string().max(mostTitle),
  state: z.enum(toolCallStates),
  /** Other than 1 only where it is `gathered`; `failed` and `refused` are among them. */
  calls: count,
  failed: count,
  refused: count,
  /** Database time. */
  startedAt: z.iso.datetime(),
  durationMs: count.nullable(),
})
export type ToolCallNote = z.infer<typeof toolCallNoteSchema>

export const toolCallSchema = z.object({
  id: z.string(),
  runId: z.string(),
  taskId: z.string(),
  step: z.string(),
  item: z.int().nullable(),
  attempt: z.int(),
  ...toolCallNoteSchema.omit({ n: true }).shape,
})
export type ToolCallView = z.infer<typeof toolCallSchema>

const params = z.object({ id: z.string().min(1).max(100) })

export const runToolCalls = endpoint({
  method: 'GET',
  path: '/api/v1/runs/:id/tool-calls',
  summary: 'Lists the tools that agents have used in a run, newest first: which, when, how long, and what came of it.',
  params,
  query: z.object({ ...pageQueryShape, step: z.string().max(200).optional(), task: z.string().max(200).optional() }),
  output: pageOf(toolCallSchema),
})

export const toolUseSchema = z.object({
  step: z.string(),
  tool: z.string(),
  kind: z.string(),
  calls: z.int(),
  failed: z.int(),
  refused: z.int(),
  /** Of those that have ended and were told one by one. */
  durationMs: z.int(),
})
export type ToolUse = z.infer<typeof toolUseSchema>

export const runToolUse = endpoint({
  method: 'GET',
  path: '/api/v1/runs/:id/tool-use',
  summary: 'Counts the tool calls of a run, by step and tool; the most used first, at most 200.',
  params,
  output: z.object({ items: z.array(toolUseSchema) }),
})
