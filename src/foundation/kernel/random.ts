import { randomBytes } from 'node:crypto'

/** The source of randomness. Seed it where a run must be replayable. */
export interface Random {
  /** A number in [0, 1). */
  next(): number
  bytes(count: number): Uint8Array
}

/** Asking the system costs far more than the few bytes of an id: it is asked for many at a time, and none is given twice. */
const poolSize = 4_096
let pool = new Uint8Array(0)
let given = 0

function pooledBytes(count: number): Uint8Array {
  if (count > poolSize / 16) return randomBytes(count)
  if (pool.length - given < count) {
    pool = new Uint8Array(randomBytes(poolSize))
    given = 0
  }
  given += count
  return pool.slice(given - count, given)
}

export const systemRandom: Random = {
  next: () => Math.random(),
  bytes: pooledBytes,
}

/** A replayable source (mulberry32): the same seed gives the same sequence. Not for secrets. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
  return { next, bytes: (count) => Uint8Array.from({ length: count }, () => Math.floor(next() * 256)) }
}
