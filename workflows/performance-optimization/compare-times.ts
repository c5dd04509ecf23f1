export interface Times {
  readonly runs: number
  readonly median: number
  /** Median of the distances from the median: half of the runs lie within it. */
  readonly spread: number
  readonly least: number
  readonly most: number
}

export function timesOf(all: readonly number[]): Times {
  const median = medianOf(all)
  return {
    runs: all.length,
    median,
    spread: medianOf(all.map((ms) => Math.abs(ms - median))),
    least: Math.min(...all),
    most: Math.max(...all),
  }
}

export type Difference = 'faster' | 'slower' | 'same'

/**
 * Whether two sets of measurements differ by more than their noise: they do not come near each other, or the medians are further apart than three spreads of
 * both, than 5 % and than 20 ms, and the sets overlap in no more than one in four pairs (a rank test without a table).
 */
export function differenceOf(before: readonly number[], after: readonly number[]): Difference {
  if (before.length < 2 || after.length < 2) return 'same'
  const [a, b] = [timesOf(before), timesOf(after)]
  // No run of the one comes near any run of the other: however much each varies, that is no noise.
  if (b.least > a.most * 1.5 && b.least - a.most > 20) return 'slower'
  if (a.least > b.most * 1.5 && a.least - b.most > 20) return 'faster'
  const apart = Math.abs(a.median - b.median)
  if (apart < Math.max(3 * Math.max(a.spread, b.spread), 0.05 * a.median, 20)) return 'same'
  const pairs = before.flatMap((one) => after.map((other) => Math.sign(one - other)))
  const faster = pairs.filter((sign) => sign > 0).length / pairs.length
  if (b.median < a.median) return faster >= 0.75 ? 'faster' : 'same'
  return faster <= 0.25 ? 'slower' : 'same'
}

function medianOf(all: readonly number[]): number {
  const sorted = all.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  if (sorted.length === 0) return 0
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}
