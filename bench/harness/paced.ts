import { setTimeout as delay } from 'node:timers/promises'
import type { LatencyQueue } from './latency-contender.ts'
import { sharedClock } from './worker-process.ts'

export interface Pace {
  readonly perSecond: number
  readonly seconds: number
  /** Tasks at the beginning that are not counted: plans, caches and compiled code are still cold. */
  readonly warmUp: number
}

/**
 * Adds tasks at a fixed pace, whatever becomes of the earlier ones, so that a slow queue cannot hide by being asked
 * less often. Returns the latencies in milliseconds of all but the warm-up.
 */
export async function measurePaced(queue: LatencyQueue, { perSecond, seconds, warmUp }: Pace): Promise<number[]> {
  const total = perSecond * seconds + warmUp
  const started = performance.now()
  const adding: Promise<void>[] = []
  let failure: unknown
  for (let n = 0; n < total && failure === undefined; n++) {
    const wait = started + (n * 1_000) / perSecond - performance.now()
    if (wait > 0) await delay(wait)
    adding.push(
      queue.add(n, sharedClock()).catch((error: unknown) => {
        failure ??= error
      }),
    )
  }
  await Promise.all(adding)
  if (failure !== undefined) throw failure
  const latencies = new Map<number, number>()
  const deadline = performance.now() + 30_000
  while (latencies.size < total) {
    for (const { n, nanoseconds } of await queue.entered()) latencies.set(n, nanoseconds / 1e6)
    if (performance.now() > deadline) throw new Error(`only ${latencies.size} of ${total} tasks were entered`)
    if (latencies.size < total) await delay(50)
  }
  return [...latencies].filter(([n]) => n >= warmUp).map(([, milliseconds]) => milliseconds)
}
