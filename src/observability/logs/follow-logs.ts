import { setTimeout as delay } from 'node:timers/promises'
import type { Database, ReadTx } from '../../foundation/platform/database/database.ts'
import { LogDecoder, type LogText } from './decode-logs.ts'
import { type LogFilter, type LogPage, type LogPlace, logChannel, readLogs } from './log-store.ts'

export interface FollowOptions {
  readonly filter: LogFilter
  /** Whether nothing more will be printed, asked in the transaction of each read. False: stay. */
  readonly isOver: (tx: ReadTx) => Promise<boolean>
  /** How long to wait for a hint before looking again, ms. Default 500. */
  readonly pollMs?: number
  /** The least time between two looks, however many hints there are, ms. Default 100. */
  readonly minIntervalMs?: number
  readonly signal: AbortSignal
}

const pageSize = 200

/** What the tasks of a run print, from the first byte on, until it is over or `signal` aborts. */
export async function* followLogs(database: Database, options: FollowOptions): AsyncGenerator<LogText> {
  const { filter, isOver, signal, pollMs = 500, minIntervalMs = 100 } = options
  const scope = database.forTenant(filter.tenant)
  const decoder = new LogDecoder()
  let place: LogPlace | null = null
  let hinted = false
  let wake = () => {}
  const unlisten = database.listen(logChannel, (runId) => {
    if (runId !== filter.runId) return
    hinted = true
    wake()
  })
  const hint = (ms: number) => {
    const waiting = AbortSignal.any([signal, AbortSignal.timeout(ms)])
    return new Promise<void>((resolve) => {
      wake = resolve
      waiting.addEventListener('abort', () => resolve(), { once: true })
      if (hinted || waiting.aborted) resolve()
    })
  }
  try {
    while (!signal.aborted) {
      hinted = false
      const from: LogPlace | null = place
      // Asked first: what was printed before the end is then in this page or the next.
      const { over, page }: { over: boolean; page: LogPage } = await scope.read(async (tx) => ({
        over: await isOver(tx),
        page: await readLogs(tx, filter, from, pageSize),
      }))
      for (const row of page.rows) {
        const text = decoder.decode(row)
        if (text.text !== '') yield text
      }
      place = page.place
      if (page.full) continue
      if (over) {
        yield* decoder.end()
        return
      }
      await delay(minIntervalMs, undefined, { signal }).catch(ignoreAbort)
      if (!signal.aborted) await hint(pollMs)
    }
  } finally {
    unlisten()
  }
}

function ignoreAbort(error: unknown): void {
  if ((error as Error).name !== 'AbortError') throw error
}
