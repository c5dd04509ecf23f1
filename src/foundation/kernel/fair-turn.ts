/** Work that yields to nobody may take so much of a turn of the event loop, ms. */
const mostMs = 10

let next: Promise<void> | null = null
let beganAt = 0

/**
 * Null while this turn of the event loop is young; else what resolves with the next one, once sockets, timers and queries
 * have been heard. For loops that many run at once and that may find everything at hand: each asks before a piece of work.
 */
export function fairTurn(): Promise<void> | null {
  if (next !== null) return performance.now() - beganAt < mostMs ? null : next
  beganAt = performance.now()
  next = new Promise((resolve) => {
    setImmediate(() => {
      next = null
      resolve()
    })
  })
  return null
}
