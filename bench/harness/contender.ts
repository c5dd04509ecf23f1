/** Connections a contender may hold in each of its processes. The same for all. */
export const poolSize = 8

/** What one round of the dispatch bench yields, in tasks a second. */
export interface DispatchSample {
  readonly enqueued: number
  /** From the moment the worker process is let go to the last committed completion. */
  readonly completed: number
}

export interface Contender {
  readonly name: string
  /** Works through a queue of trivial tasks in the empty database at `url`. */
  measure(url: string, options: MeasureOptions): Promise<DispatchSample>
}

export interface MeasureOptions {
  /** How many tenants the tasks belong to. Peers know no tenants: theirs are only a field of the payload. */
  readonly tenants: number
  /** Called between filling and emptying the queue. */
  settle(): Promise<void>
}

/** A queue that is filled first, then emptied by a worker process. One instance serves one round. */
export interface Queue extends AsyncDisposable {
  /** Puts `tasks` trivial tasks into the queue, as fast as the product's own interface allows. */
  enqueue(tasks: number): Promise<void>
  /** Lets the worker process go and returns the seconds until the last completion is committed. */
  drain(tasks: number): Promise<number>
}

/** A contender that is a queue. `tasks` is enough for a few seconds of work. */
export function queueContender(
  name: string,
  tasks: number,
  open: (url: string, tenants: number) => Promise<Queue>,
): Contender {
  return {
    name,
    async measure(url, { tenants, settle }) {
      await using queue = await open(url, tenants)
      const started = performance.now()
      await queue.enqueue(tasks)
      const enqueueSeconds = (performance.now() - started) / 1_000
      await settle()
      const seconds = await queue.drain(tasks)
      return { enqueued: tasks / enqueueSeconds, completed: tasks / seconds }
    },
  }
}
