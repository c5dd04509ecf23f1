import { asksForUsage } from '../outgoing.ts'
import type { Fields } from '../wire/fields.ts'
import type { WireName } from '../wire/wire.ts'
import { answerForChat, answerForMessages } from './answers.ts'
import { type StreamTranslation, streamForChat, streamForMessages } from './streams.ts'

const secondsOf = (now: Date) => Math.floor(now.getTime() / 1_000)

/** An answer in the form in which the call was made. `fields` null: it is no JSON, and passed on as it is. */
export function translatedAnswer(
  asked: WireName,
  given: WireName,
  fields: Fields | null,
  text: string,
  now: Date,
): string {
  if (given === asked || fields === null) return text
  return JSON.stringify(asked === 'chat' ? answerForChat(fields, secondsOf(now)) : answerForMessages(fields))
}

/** Null where the stream comes in the form in which the call was made. */
export function streamTranslation(asked: WireName, given: WireName, body: Fields, now: Date): StreamTranslation | null {
  if (given === asked) return null
  if (asked === 'messages') return streamForMessages()
  return streamForChat({ usage: asksForUsage(body), seconds: secondsOf(now) })
}
