import type { StateTable } from '../../foundation/kernel/state-table.ts'

export type ReservationState = 'waiting' | 'held' | 'settled' | 'expired' | 'released' | 'refused'
export type ReservationEvent = 'hold' | 'extend' | 'settle' | 'expire' | 'release' | 'refuse'

const none = { hold: null, extend: null, settle: null, expire: null, release: null, refuse: null } as const

/**
 * `expired`: nobody settled it in time, so the whole hold counts as spent. `released`: given back unspent. Whoever comes
 * late with the true amount still settles both: the record is put right.
 */
export const reservationStates: StateTable<ReservationState, ReservationEvent> = {
  waiting: { ...none, hold: 'held', refuse: 'refused' },
  held: { ...none, extend: 'held', settle: 'settled', expire: 'expired', release: 'released' },
  expired: { ...none, settle: 'settled' },
  released: { ...none, settle: 'settled' },
  settled: none,
  refused: none,
}
