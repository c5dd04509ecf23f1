import type { IncomingMessage } from 'node:http'
import { messageOf } from '../../foundation/kernel/errors.ts'
import { type Dialect, failureEvent } from './failure-forms.ts'
import { modelErrors } from './models-errors.ts'
import { StreamRefused, type StreamTranslation } from './translate/streams.ts'
import { EventSplitter } from './wire/event-splitter.ts'
import type { ModelUsage, StreamWatch } from './wire/wire.ts'

export interface RelayedStream {
  readonly answer: IncomingMessage
  readonly watch: StreamWatch
  /** Null: what comes is what leaves. */
  readonly translation: StreamTranslation | null
  readonly hideUsage: boolean
  readonly dialect: Dialect
  readonly requestId: string
  /** Aborts when the client goes away. */
  readonly signal: AbortSignal
  /** Told of the text that leaves; null: nobody listens. */
  readonly onText: ((text: string) => void) | null
  readonly onFirstByte: () => void
  readonly onEnd: (end: StreamEnd) => void
}

export interface StreamEnd {
  readonly outcome: 'answered' | 'failed' | 'cut'
  /** Null: the provider's count has not come. */
  readonly usage: ModelUsage | null
  readonly error: unknown
}

/**
 * Passes a stream on, piece by piece, while it looks for the provider's count. The client that leaves ends the stream of the
 * provider too; a provider that breaks off is told to the client as an error of its dialect.
 */
export async function* relayStream(relayed: RelayedStream): AsyncGenerator<Uint8Array | string> {
  const { answer, watch, signal } = relayed
  const splitter = new EventSplitter()
  const asItComes = relayed.translation === null && !relayed.hideUsage
  let first = true
  let done = false
  let error: unknown = null
  let outcome: StreamEnd['outcome'] = 'cut'
  const passOn = (events: ReturnType<EventSplitter['push']>): string => {
    let out = ''
    for (const { data, text } of events) {
      const hidden = watch.see(data)
      done ||= data === '[DONE]'
      if (relayed.translation !== null) out += data === '' ? '' : relayed.translation.next(data)
      else if (!hidden) out += text
    }
    return out
  }
  try {
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      if (first) {
        first = false
        relayed.onFirstByte()
      }
      const out = passOn(splitter.push(chunk))
      relayed.onText?.(out)
      if (asItComes) yield chunk
      else if (out !== '') yield out
    }
    if (!watch.isComplete()) throw new Error('the stream ended in the middle')
    // Some servers end without the last word.
    const last = relayed.translation !== null && !done ? relayed.translation.next('[DONE]') : ''
    if (last !== '') yield last
    outcome = 'answered'
  } catch (failure) {
    error = failure
    if (!signal.aborted) {
      outcome = 'failed'
      yield failureEvent(relayed.dialect, failed(failure), relayed.requestId)
    }
  } finally {
    relayed.onEnd({ outcome, usage: watch.usage(), error })
  }
}

function failed(failure: unknown): Error & Parameters<typeof failureEvent>[1] {
  const why = failure instanceof StreamRefused ? failure.message : `the provider broke off: ${messageOf(failure)}`
  return modelErrors['model-upstream-failed'](why, { cause: failure })
}
