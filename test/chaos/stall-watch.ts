import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'

/** One look at the queue, `at` by `performance.now()`. */
export interface Sample {
  readonly at: number
  /** Tasks that have succeeded until now. */
  readonly completed: number
  readonly ready: number
  /** Slots of healthy agents that no task has. */
  readonly free: number
}

export interface Stall {
  readonly ms: number
  readonly from: number
  readonly to: number
}

/**
 * The times in which nothing was completed although ready work and free slots were there all along, longest first. Those
 * that overlap one of `except` are left out.
 */
export function stallsOf(
  samples: readonly Sample[],
  except: readonly { readonly from: number; readonly to: number }[] = [],
): readonly Stall[] {
  const stalls: Stall[] = []
  let from: Sample | null = null
  const end = (to: Sample) => {
    if (from !== null) stalls.push({ ms: to.at - from.at, from: from.at, to: to.at })
  }
  let last: Sample | null = null
  for (const sample of samples) {
    if (last !== null && sample.completed > last.completed) {
      end(sample)
      from = null
    }
    if (sample.ready === 0 || sample.free === 0) from = null
    else from ??= sample
    last = sample
  }
  if (last !== null) end(last)
  return stalls
    .filter((stall) => except.every(({ from: start, to }) => stall.to < start || stall.from > to))
    .toSorted((a, b) => b.ms - a.ms)
}

/** Longest time between two completions, whatever else was the case. */
export function longestPause(samples: readonly Sample[], except: readonly { from: number; to: number }[] = []): Stall {
  const always = samples.map((sample) => ({ ...sample, ready: 1, free: 1 }))
  return stallsOf(always, except)[0] ?? { ms: 0, from: 0, to: 0 }
}

const question = `
  select (select count(*)::int from tasks where state = 'succeeded') as completed,
    (select count(*)::int from tasks where state = 'ready') as ready,
    (select coalesce(sum(slots - used), 0)::int from agents where state = 'healthy') as free`

/** Looks at the queue every 100 ms until `signal` aborts; a look that fails, because PostgreSQL is away, is left out. */
export async function watchQueue(url: string, signal: AbortSignal): Promise<readonly Sample[]> {
  const samples: Sample[] = []
  let client: pg.Client | null = null
  while (!signal.aborted) {
    try {
      if (client === null) {
        client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 1_000, query_timeout: 5_000 })
        client.on('error', () => {})
        await client.connect()
      }
      const { rows } = await client.query<Omit<Sample, 'at'>>(question)
      samples.push({ at: performance.now(), ...rows[0]! })
    } catch {
      await client?.end().catch(() => {})
      client = null
    }
    await sleep(100)
  }
  await client?.end()
  return samples
}
