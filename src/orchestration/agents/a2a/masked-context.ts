import { StringDecoder } from 'node:string_decoder'
import { SecretMasker } from '../../../foundation/platform/secrets/index.ts'
import type { SessionContext } from '../sessions/agent-session.ts'

export interface MaskedContext {
  readonly context: SessionContext
  /** Says what was held back in case it was the beginning of a secret. */
  flush(): Promise<void>
}

/** A context in which what a remote agent knows us by is never repeated, also where it comes in pieces. */
export function maskedContext(context: SessionContext, secret: string | null): MaskedContext {
  if (secret === null) return { context, flush: async () => {} }
  const own = new SecretMasker([secret])
  const stream = own.stream()
  const decoder = new StringDecoder('utf8')
  const masker = {
    empty: false,
    text: (text: string) => own.text(context.masker.text(text)),
    json: (value: Parameters<SecretMasker['json']>[0]) => own.json(context.masker.json(value)),
    stream: () => context.masker.stream(),
  } as SecretMasker
  const say = (text: string) => (text === '' ? undefined : context.say(text))
  return {
    context: {
      ...context,
      masker,
      progress: (note) => context.progress(note === undefined ? undefined : own.text(note)),
      say: (text) => say(decoder.write(stream.write(Buffer.from(text)))),
      note: (line) => context.note(own.text(line)),
      tools: {
        started: (key, call) =>
          context.tools.started(key, { ...call, tool: own.text(call.tool), title: own.text(call.title) }),
        ended: (key, end) => context.tools.ended(key, end),
        close: () => context.tools.close(),
      },
      ask: (question) =>
        context.ask({ ...question, message: own.text(question.message), details: own.json(question.details) }),
    },
    async flush() {
      await say(decoder.write(stream.end()) + decoder.end())
    },
  }
}
