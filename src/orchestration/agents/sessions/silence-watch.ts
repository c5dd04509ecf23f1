/** Notices when an agent says nothing for too long. Time that it spends waiting for people does not count. */
export class SilenceWatch {
  readonly #limitMs: number | null
  readonly #onSilent: () => void
  #timer: NodeJS.Timeout | null = null
  #waiting = 0
  #over = false

  /** @param limitMs null: it may be silent as long as it likes */
  constructor(limitMs: number | null, onSilent: () => void) {
    this.#limitMs = limitMs
    this.#onSilent = onSilent
    this.heard()
  }

  /** It said something. */
  heard(): void {
    if (this.#limitMs === null || this.#over || this.#waiting > 0) return
    if (this.#timer !== null) this.#timer.refresh()
    else this.#timer = setTimeout(() => this.#onSilent(), this.#limitMs)
  }

  /** While the promise is open, it is not its turn to speak. */
  async waitFor<T>(answer: Promise<T>): Promise<T> {
    this.#waiting += 1
    this.#clear()
    try {
      return await answer
    } finally {
      this.#waiting -= 1
      this.heard()
    }
  }

  stop(): void {
    this.#over = true
    this.#clear()
  }

  #clear(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }
}
