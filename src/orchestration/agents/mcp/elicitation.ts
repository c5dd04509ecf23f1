import type { ElicitRequest, ElicitResult } from '@modelcontextprotocol/client'
import { z } from '../../../foundation/kernel/schema.ts'
import type { AskAnswer, AskChoice } from '../ask-contract.ts'
import type { SessionContext } from '../sessions/agent-session.ts'

const fieldSchema = z.object({
  type: z.enum(['string', 'number', 'integer', 'boolean']),
  title: z.string().optional(),
  enum: z.array(z.string()).max(20).optional(),
  oneOf: z
    .array(z.object({ const: z.string(), title: z.string() }))
    .max(20)
    .optional(),
})
type Field = z.output<typeof fieldSchema>

const declineChoice: AskChoice = { id: 'decline', label: 'decline to answer', meaning: 'reject-once' }

/**
 * Puts a question of an MCP server to people. One field at most can be asked for: a choice, yes or no, or words; a form of
 * several is declined, as is everything that nobody answers.
 */
export async function answerElicitation(
  request: ElicitRequest['params'],
  key: string,
  context: SessionContext,
  deadlineMs: number | null,
): Promise<ElicitResult> {
  const wanted = 'requestedSchema' in request ? Object.entries(request.requestedSchema.properties) : null
  if (wanted === null || wanted.length > 1) {
    await context.note(`declined a question of the server that people cannot be asked: ${request.message}`)
    return { action: 'decline' }
  }
  const [entry] = wanted
  const field = entry === undefined ? null : fieldSchema.safeParse(entry[1])
  if (field !== null && !field.success) return { action: 'decline' }
  const choices = field === null ? [{ id: 'accept', label: 'accept' }] : choicesOf(field.data)
  await context.note(`asks people: ${request.message}`)
  const answer = await context.ask({
    ...{ key, kind: 'question', message: request.message, deadlineMs },
    choices: [...choices, declineChoice],
    freeText: field !== null && choices.length === 0,
    defaultChoice: declineChoice.id,
    details: entry === undefined ? {} : { field: entry[0] },
  })
  if (answer.choice === declineChoice.id) return { action: answer.expired ? 'cancel' : 'decline' }
  if (entry === undefined) return { action: 'accept', content: {} }
  const value = contentOf(field!.data, answer)
  return value === null ? { action: 'decline' } : { action: 'accept', content: { [entry[0]]: value } }
}

function choicesOf(field: Field): readonly AskChoice[] {
  if (field.type === 'boolean') {
    return [
      { id: 'true', label: 'yes' },
      { id: 'false', label: 'no' },
    ]
  }
  if (field.oneOf !== undefined) return field.oneOf.map((each) => ({ id: each.const, label: each.title }))
  return (field.enum ?? []).map((each) => ({ id: each, label: each }))
}

function contentOf({ type }: Field, { choice, text }: AskAnswer): string | number | boolean | null {
  const said = choice ?? text
  if (said === null) return null
  if (type === 'boolean') return said === 'true'
  if (type === 'string') return said
  const number = Number(said)
  return Number.isFinite(number) ? number : null
}
