import type { ReservationLine } from './spender-port.ts'
import type { EndedReservation, Ending } from './sql/end-reservations.ts'

/** What the holder of a reservation knows of its row. */
export interface KnownReservation {
  readonly enforcement: string
  readonly units: readonly string[]
  /** Beside `units`. */
  readonly holds: readonly number[]
  readonly spent: readonly number[]
  readonly lines: readonly ReservationLine[]
}

export interface KnownEnding extends Ending {
  readonly event: 'settle' | 'extend' | 'release'
  readonly known: KnownReservation
}

/** The row as it will be. */
export function endedAsKnown({ tenant, id, event, used, known }: KnownEnding): EndedReservation {
  const { units, holds } = known
  const base = { tenant, id, from: 'held', runId: null, units } as const
  const spent = known.spent.map((amount, n) => amount + (used?.[n] ?? 0))
  if (event !== 'extend') return { ...base, to: event === 'settle' ? 'settled' : 'released', holds, spent }
  return { ...base, to: 'held', holds: holds.map((hold, n) => hold - Math.min(hold, used?.[n] ?? 0)), spent }
}
