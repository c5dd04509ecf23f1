import { chat } from './chat.ts'
import { embeddings } from './embeddings.ts'
import { count, messages } from './messages.ts'
import { responses } from './responses.ts'
import type { Wire, WireName } from './wire.ts'

export const wires: Readonly<Record<WireName, Wire>> = { chat, responses, embeddings, messages, count }

/** Whose errors a caller of this form expects. */
export function dialectOf(wire: WireName): 'openai' | 'anthropic' {
  return wire === 'messages' || wire === 'count' ? 'anthropic' : 'openai'
}
