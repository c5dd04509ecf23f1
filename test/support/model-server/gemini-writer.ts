import type { Composed, SeenRequest } from './script.ts'
import { data, type WireWriter } from './wire-writer.ts'

function usageOf({ usage }: Composed) {
  if (usage === null) return {}
  const { input, output, cacheRead } = usage
  return {
    usageMetadata: {
      ...{ promptTokenCount: input + cacheRead, candidatesTokenCount: output },
      ...{ totalTokenCount: input + cacheRead + output, cachedContentTokenCount: cacheRead },
    },
  }
}

function chunk(request: SeenRequest, parts: readonly object[], more: object) {
  return {
    candidates: [{ content: { role: 'model', parts }, index: 0, ...more }],
    modelVersion: request.model,
    responseId: `gemini-${request.n}`,
  }
}

const partsOf = ({ tools }: Composed) => tools.map(({ name, input }) => ({ functionCall: { name, args: input } }))
const finishOf = ({ short }: Composed) => ({ finishReason: short ? 'MAX_TOKENS' : 'STOP' })

/** Gemini's generateContent and streamGenerateContent (`?alt=sse`). */
export const geminiWriter: WireWriter = {
  whole(request, answer) {
    const text = answer.words.join('')
    const parts = [...(text === '' ? [] : [{ text }]), ...partsOf(answer)]
    return { ...chunk(request, parts, finishOf(answer)), ...usageOf(answer) }
  },
  pieces(request, answer) {
    const words = answer.words.map((text) => data(chunk(request, [{ text }], {})))
    return [...words, data({ ...chunk(request, partsOf(answer), finishOf(answer)), ...usageOf(answer) })]
  },
  failure: (status, message) => ({
    error: { code: status, message, status: status === 429 ? 'RESOURCE_EXHAUSTED' : 'INTERNAL' },
  }),
  failureEvent: (message) => data({ error: { code: 500, message, status: 'INTERNAL' } }),
}
