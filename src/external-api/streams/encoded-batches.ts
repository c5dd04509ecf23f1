import type { LoggedEvent } from '../../foundation/runtime/event-log.ts'
import { toCloudEvent } from './cloud-event-contract.ts'

/** The wire forms of events, each made once however many readers there are. */
export interface EncodedBatches {
  /** A batch as server-sent events. Readers with equal `key` (tenant and filter) share the bytes of equal batches. */
  sse(key: string, batch: readonly LoggedEvent[], epoch: number): Uint8Array
  /** One event as JSON text. */
  json(event: LoggedEvent, epoch: number): string
}

/** `viewOf` says what readers see of an event; it must depend on nothing else. */
export function createEncodedBatches(
  viewOf: (event: LoggedEvent, epoch: number) => object = toCloudEvent,
  mostKeys = 1_000,
): EncodedBatches {
  const texts = new WeakMap<LoggedEvent, { readonly epoch: number; readonly text: string }>()
  type Last = {
    readonly first: LoggedEvent
    readonly last: LoggedEvent
    readonly count: number
    readonly bytes: Uint8Array
  }
  const lasts = new Map<string, Last>()

  const json = (event: LoggedEvent, epoch: number): string => {
    const known = texts.get(event)
    if (known !== undefined && known.epoch === epoch) return known.text
    const text = JSON.stringify(viewOf(event, epoch))
    texts.set(event, { epoch, text })
    return text
  }
  return {
    json,
    sse(key, batch, epoch) {
      const first = batch[0]!
      const last = batch.at(-1)!
      const known = lasts.get(key)
      if (known !== undefined && known.first === first && known.last === last && known.count === batch.length) {
        return known.bytes
      }
      let text = ''
      for (const event of batch) {
        text += `id: ${epoch}.${event.tick}.${event.seq}\nevent: ${oneLine(event.type)}\ndata: ${json(event, epoch)}\n\n`
      }
      const bytes = Buffer.from(text)
      lasts.delete(key)
      if (lasts.size >= mostKeys) lasts.delete(lasts.keys().next().value!)
      lasts.set(key, { first, last, count: batch.length, bytes })
      return bytes
    },
  }
}

function oneLine(text: string): string {
  return text.replace(/[\r\n\0]+/g, ' ')
}
