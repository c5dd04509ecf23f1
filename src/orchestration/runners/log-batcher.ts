import type { Clock } from '../../foundation/kernel/clock.ts'
import type { Assignment } from './exchange-contract.ts'
import type { LogChunk, LogSink } from './log-sink.ts'

const flushEveryMs = 150
const flushBytes = 262_144
/** Writers wait while more is on its way. */
const mostPendingBytes = 4 * 1_048_576
const tries = 10
const pauseMs = 500

/** Gathers output of all attempts and hands it to the sink, one batch at a time. */
export class LogBatcher {
  readonly #sink: LogSink
  readonly #clock: Clock
  readonly #onError: (error: unknown) => void
  readonly #seq = new Map<number, number>()
  #batch: LogChunk[] = []
  #batchBytes = 0
  #pendingBytes = 0
  #flushing: Promise<void> = Promise.resolve()
  #timer: NodeJS.Timeout | null = null

  constructor(sink: LogSink, clock: Clock, onError: (error: unknown) => void) {
    this.#sink = sink
    this.#clock = clock
    this.#onError = onError
  }

  /** Copies the bytes. A promise means: wait for it before you write more. */
  write(from: Assignment, stream: 'stdout' | 'stderr', bytes: Uint8Array): void | Promise<void> {
    const seq = this.#seq.get(from.fence) ?? 0
    this.#seq.set(from.fence, seq + 1)
    const { tenant, runId, taskId, step, item, attempt, fence } = from
    const at = this.#clock.now().toISOString()
    this.#batch.push({
      tenant,
      runId,
      taskId,
      step,
      item,
      attempt,
      fence,
      seq,
      stream,
      at,
      bytes: Uint8Array.from(bytes),
    })
    this.#batchBytes += bytes.length
    this.#pendingBytes += bytes.length
    if (this.#batchBytes >= flushBytes) {
      const flushed = this.#flush()
      if (this.#pendingBytes > mostPendingBytes) return flushed
    } else {
      this.#timer ??= setTimeout(() => void this.#flush(), flushEveryMs)
    }
  }

  /** Resolves when everything that the attempt wrote is kept, or given up. */
  async end(fence: number): Promise<void> {
    if (!this.#seq.delete(fence)) return
    await this.#flush()
  }

  async close(): Promise<void> {
    await this.#flush()
  }

  #flush(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    const batch = this.#batch
    const bytes = this.#batchBytes
    if (batch.length === 0) return this.#flushing
    this.#batch = []
    this.#batchBytes = 0
    this.#flushing = this.#flushing.then(async () => {
      await this.#append(batch)
      this.#pendingBytes -= bytes
    })
    return this.#flushing
  }

  /** Output is worth some patience, but not the work: a sink that stays away loses it. */
  async #append(batch: readonly LogChunk[]): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#sink.append(batch)
        return
      } catch (error) {
        if (attempt < tries) {
          await new Promise((resolve) => setTimeout(resolve, pauseMs))
          continue
        }
        this.#onError(error)
        return
      }
    }
  }
}
