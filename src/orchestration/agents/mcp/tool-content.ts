import type { CallToolResult, ContentBlock } from '@modelcontextprotocol/client'
import type { JsonObject, JsonValue } from '../../../foundation/kernel/json.ts'
import type { ToolAnswer } from '../sessions/tool-grants.ts'

/** Characters of an answer that a model is given. */
const mostText = 1_048_576

/** The words of a piece of content; what is no text is named. */
export function wordsOf(content: ContentBlock): string {
  switch (content.type) {
    case 'text':
      return content.text
    case 'resource_link':
      return content.uri
    case 'resource':
      return 'text' in content.resource ? content.resource.text : `[${content.resource.uri}]`
    default:
      return `[${content.type} ${content.mimeType}]`
  }
}

/** What a tool said, bounded: an answer that is too long is cut, and says so. */
export function answerOf(result: CallToolResult, redact: <T extends JsonValue>(value: T) => T): ToolAnswer {
  const structured = (result.structuredContent ?? null) as JsonValue | null
  const said = result.content.map(wordsOf).join('\n')
  const whole = said === '' && structured !== null ? JSON.stringify(structured) : said
  const text = redact(cut(whole))
  const isError = result.isError === true
  if (JSON.stringify(result.content).length > 2 * mostText) {
    return { text, content: [{ type: 'text', text }], structured: null, isError }
  }
  return { text, content: redact(result.content as unknown as JsonObject[]), structured: redact(structured), isError }
}

export function failedAnswer(text: string): ToolAnswer {
  return { text, content: [{ type: 'text', text }], structured: null, isError: true }
}

function cut(text: string): string {
  if (text.length <= mostText) return text
  return `${text.slice(0, mostText)}\n[cut: the answer has ${text.length} characters]`
}
