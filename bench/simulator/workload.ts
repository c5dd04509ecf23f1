import type { Random } from '../../src/foundation/kernel/random.ts'
import type { TracedRequest } from './trace.ts'

/** One piece of work of a simulation. Times in milliseconds. */
export interface Job {
  readonly arrivesAt: number
  /** What an agent of speed 1 needs for it. */
  readonly work: number
  /** Conversation that it belongs to. */
  readonly key: string
}

/**
 * What a model server needs for a request: reading the context at 4,000 tokens a second, writing at 40. The shape of the
 * distribution is that of the trace; the two rates only set its scale.
 */
export function workOf({ contextTokens, generatedTokens }: TracedRequest): number {
  return contextTokens / 4 + generatedTokens * 25
}

const conversations = 400

/**
 * The trace as work for agents of this capacity (the sum of their speeds): its gaps are stretched so that the mean load is
 * `load`; bursts stay what they are. The random source chooses where in the trace to begin, going round at its end, and
 * which conversation a request belongs to.
 */
export function jobsOf(
  trace: readonly TracedRequest[],
  capacity: number,
  load: number,
  random: Random,
): readonly Job[] {
  const start = Math.floor(random.next() * trace.length)
  const length = trace.at(-1)!.at + trace.at(-1)!.at / trace.length
  const total = trace.reduce((sum, request) => sum + workOf(request), 0)
  const stretch = total / (load * capacity * length)
  const from = trace[start]!.at
  return trace.map((_, n): Job => {
    const request = trace[(start + n) % trace.length]!
    const at = start + n < trace.length ? request.at - from : request.at + length - from
    return {
      arrivesAt: at * stretch,
      work: workOf(request),
      key: `conversation-${Math.floor(random.next() * conversations)}`,
    }
  })
}
