export interface CoalesceOptions {
  /** Items handed over at once, at most. */
  readonly most: number
  /** Batches under way at the same time. */
  readonly lanes: number
}

/**
 * Turns calls into batches: what comes while batches are under way is gathered for the next one. Nothing waits for
 * company, so a single call is a batch of one. A failed batch fails all its calls.
 */
export function coalesce<Item, Result>(
  run: (items: readonly Item[]) => Promise<readonly Result[]>,
  { most, lanes }: CoalesceOptions,
): (item: Item) => Promise<Result> {
  type Waiting = {
    readonly item: Item
    readonly resolve: (result: Result) => void
    readonly reject: (error: unknown) => void
  }
  let waiting: Waiting[] = []
  let active = 0
  let scheduled = false

  const start = () => {
    scheduled = false
    while (active < lanes && waiting.length > 0) {
      const batch = waiting.slice(0, most)
      waiting = waiting.slice(most)
      active += 1
      run(batch.map(({ item }) => item))
        .then(
          (results) => batch.forEach(({ resolve }, n) => void resolve(results[n]!)),
          (error) => batch.forEach(({ reject }) => void reject(error)),
        )
        .finally(() => {
          active -= 1
          start()
        })
    }
  }
  return (item) =>
    new Promise((resolve, reject) => {
      waiting.push({ item, resolve, reject })
      if (scheduled) return
      scheduled = true
      // After the callbacks of this turn: requests that arrived together go together.
      setImmediate(start)
    })
}
