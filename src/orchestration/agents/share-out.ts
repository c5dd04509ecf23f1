/** Somewhere agents can be started. */
export interface Room {
  /** Agents there now. */
  readonly present: number
  readonly most: number
}

/**
 * How many of `count` new agents each place gets: each next one goes where the smallest share of the room is taken, the
 * first among equals. No place gets more than it has room for; fewer than `count` in all where there is not enough.
 */
export function shareOut(count: number, places: readonly Room[]): readonly number[] {
  const given = places.map(() => 0)
  for (let left = count; left > 0; left--) {
    let best = -1
    let least = 1
    for (const [n, { present, most }] of places.entries()) {
      const taken = most <= 0 ? 1 : (present + given[n]!) / most
      if (taken < least) {
        least = taken
        best = n
      }
    }
    if (best < 0) break
    given[best]! += 1
  }
  return given
}
