import type { IncomingHttpHeaders } from 'node:http'
import type { SeenRequest, WireForm } from './script.ts'

/** What a path asks for; null for paths that no provider has. */
export function wireOf(method: string, path: string): WireForm | null {
  if (method === 'GET' && path.endsWith('/models')) return 'models'
  if (method !== 'POST') return null
  if (path.endsWith('/chat/completions')) return 'chat'
  if (path.endsWith('/responses')) return 'responses'
  if (path.endsWith('/embeddings')) return 'embeddings'
  if (path.endsWith('/messages/count_tokens')) return 'count'
  if (path.endsWith('/messages')) return 'messages'
  return /:(generateContent|streamGenerateContent)$/.test(path) ? 'gemini' : null
}

export function readRequest(
  from: {
    readonly n: number
    readonly wire: WireForm
    readonly path: string
    readonly headers: IncomingHttpHeaders
    readonly text: string
  },
  cut: Promise<void>,
): SeenRequest {
  const { wire, path, headers } = from
  const body = from.text === '' ? {} : JSON.parse(from.text)
  const texts: string[] = []
  collect(body.system ?? body.instructions ?? body.systemInstruction, texts)
  collect(body.messages ?? body.input ?? body.contents, texts)
  return {
    ...{ n: from.n, wire, path, headers, body, texts, cut, said: texts.at(-1) ?? '' },
    model: body.model ?? /models\/([^:]+):/.exec(path)?.[1] ?? '',
    stream: wire === 'gemini' ? path.endsWith(':streamGenerateContent') : body.stream === true,
    tools: toolNames(body),
    limit: limitOf(body),
    key: keyOf(headers),
  }
}

/** Texts wherever a dialect puts them. */
function collect(value: unknown, into: string[]): void {
  if (typeof value === 'string') into.push(value)
  else if (Array.isArray(value)) for (const item of value) collect(item, into)
  else if (typeof value === 'object' && value !== null) {
    const {
      text,
      content,
      parts,
      output,
      input,
      arguments: given,
      functionCall,
      functionResponse,
    } = value as Record<string, unknown>
    for (const inner of [text, content, parts, output]) collect(inner, into)
    if (typeof given === 'string') into.push(given)
    for (const inner of [input, functionCall, functionResponse])
      if (typeof inner === 'object' && inner !== null) into.push(JSON.stringify(inner))
  }
}

function toolNames({ tools }: { readonly tools?: unknown }): string[] {
  if (!Array.isArray(tools)) return []
  return tools.flatMap((tool) =>
    Array.isArray(tool.functionDeclarations)
      ? tool.functionDeclarations.map((one: { name: string }) => one.name)
      : [tool.name ?? tool.function?.name ?? tool.type],
  )
}

function limitOf(body: Record<string, unknown>): number | null {
  const config = (body.generationConfig ?? {}) as Record<string, unknown>
  const named = [body.max_completion_tokens, body.max_tokens, body.max_output_tokens, config.maxOutputTokens]
  const limits = named.filter((limit) => typeof limit === 'number')
  return limits.length === 0 ? null : Math.min(...limits)
}

function keyOf(headers: IncomingHttpHeaders): string | null {
  const shown = headers['x-api-key'] ?? headers['x-goog-api-key'] ?? headers.authorization?.replace(/^Bearer /, '')
  return typeof shown === 'string' ? shown : null
}
