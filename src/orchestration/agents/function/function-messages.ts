import { z } from '../../../foundation/kernel/schema.ts'
import { toolKinds } from '../../../foundation/platform/config/agent-kinds.ts'
import type { AttemptSpending } from '../../runners/exchange-contract.ts'

const count = z.number().int().min(0).max(1_000_000_000_000)
const cpuSeconds = z.number().min(0).nullable()

const messageSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('progress'), note: z.string().optional() }),
  z.object({ kind: z.literal('log'), line: z.string() }),
  z.object({ kind: z.literal('say'), text: z.string() }),
  z.object({
    kind: z.literal('ask'),
    id: z.int().min(1),
    question: z.object({
      message: z.string().min(1),
      choices: z
        .array(z.object({ id: z.string().min(1).max(200), label: z.string().max(1_000) }))
        .min(1)
        .max(50)
        .optional(),
      freeText: z.boolean().optional(),
      defaultChoice: z.string().max(200).optional(),
      details: z.record(z.string(), z.json()).optional(),
    }),
  }),
  z.object({
    kind: z.literal('usage'),
    spent: z.object({
      microUsd: count.optional(),
      inputTokens: count.optional(),
      outputTokens: count.optional(),
      model: z.string().max(200).optional(),
    }),
  }),
  z.object({
    kind: z.literal('tool'),
    call: z.int().min(1),
    state: z.enum(['started', 'completed', 'failed']),
    used: z.object({
      tool: z.string().min(1).max(200),
      kind: z.enum(toolKinds).optional(),
      title: z.string().max(1_000).optional(),
    }),
  }),
  z.object({ kind: z.literal('done'), text: z.string().nullable(), cpuSeconds }),
  z.object({ kind: z.literal('failed'), message: z.string(), retry: z.enum(['never', 'later']), cpuSeconds }),
])

type Parsed = z.output<typeof messageSchema>
export type CheckedMessage =
  | Exclude<Parsed, { kind: 'usage' }>
  | { readonly kind: 'usage'; readonly spent: AttemptSpending }

/** What the thread of a function says; null for anything that is no message. */
export function readMessage(message: unknown): CheckedMessage | null {
  const parsed = messageSchema.safeParse(message)
  if (!parsed.success) return null
  if (parsed.data.kind !== 'usage') return parsed.data
  const told = Object.entries(parsed.data.spent).filter(([, value]) => value !== undefined)
  return { kind: 'usage', spent: Object.fromEntries(told) as AttemptSpending }
}
