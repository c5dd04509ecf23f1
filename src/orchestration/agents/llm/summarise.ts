import type { JsonObject } from '../../../foundation/kernel/json.ts'
import type { Message, ToolCall } from './conversation.ts'

/** Most of a result, and of what a tool was given, that is kept where a conversation has to be cut. */
const longest = 2_000

/** The conversation with what is long in it cut: for the summary of one that is too long itself. */
export function shortened(messages: readonly Message[]): readonly Message[] {
  return messages.map(shortMessage)
}

function shortMessage(message: Message): Message {
  switch (message.role) {
    case 'user':
      return message
    case 'assistant':
      return { ...message, text: cut(message.text), calls: message.calls.map(shortCall) }
    case 'tools':
      return { ...message, results: message.results.map((result) => ({ ...result, text: cut(result.text) })) }
  }
}

/** About what a conversation takes up. */
export function bytesOf(messages: readonly Message[]): number {
  return Buffer.byteLength(JSON.stringify(messages))
}

function shortCall(call: ToolCall): ToolCall {
  if (call.input === null) return call
  const input = Object.entries(call.input).map(([name, value]) => [
    name,
    typeof value === 'string' ? cut(value) : value,
  ])
  return { ...call, input: Object.fromEntries(input) as JsonObject }
}

function cut(text: string): string {
  if (text.length <= longest) return text
  const half = longest / 2
  return `${text.slice(0, half)}\n[${text.length - longest} characters left out]\n${text.slice(-half)}`
}
