import { isAppError } from '../../foundation/kernel/errors.ts'
import type { Shard } from './sql/find-lanes.ts'

export interface SecondLooksOptions {
  /** Ticks shards in a transaction of its own; returns those that others were ticking. */
  readonly tick: (shards: readonly Shard[]) => Promise<readonly Shard[]>
  readonly onError: (error: unknown) => void
}

const firstMs = 1
const longestMs = 50

/**
 * Ticks shards again that others were ticking. Whoever ticked meanwhile could not see what the transaction made ready that
 * found the shard taken, nor the slots that it gave back; without a second look both would wait for somebody's next poll.
 */
export class SecondLooks {
  readonly #options: SecondLooksOptions
  readonly #waiting = new Map<string, Shard>()
  #delayMs = firstMs
  #timer: NodeJS.Timeout | null = null

  constructor(options: SecondLooksOptions) {
    this.#options = options
  }

  /** To be called after the commit of the transaction that found these shards taken. */
  ask(shards: readonly Shard[]): void {
    for (const shard of shards) this.#waiting.set(`${shard.tenant}/${shard.pool}`, shard)
    if (this.#timer !== null || this.#waiting.size === 0) return
    this.#timer = setTimeout(() => void this.#look(), this.#delayMs)
    this.#timer.unref()
  }

  /** Never rejects. */
  async #look(): Promise<void> {
    const shards = [...this.#waiting.values()]
    this.#waiting.clear()
    let taken: readonly Shard[] = []
    try {
      taken = await this.#options.tick(shards)
    } catch (error) {
      // What is ready is found at the next start.
      if (!isAppError(error, 'database-closed')) this.#options.onError(error)
    }
    this.#timer = null
    this.#delayMs = taken.length > 0 ? Math.min(longestMs, this.#delayMs * 2) : firstMs
    this.ask(taken)
  }
}
