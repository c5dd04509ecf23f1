/** What a slot does while a run of the same schedule is still open. */
export type Overlap = 'skip' | 'queue' | 'allow' | 'replace'

export type SlotMove = 'start' | 'queue' | 'skip' | 'replace'

/** Runs of one schedule that wait for their turn, at most. */
export const mostQueued = 100

/** @param open runs of the schedule that have not ended; @param queued slots that wait for their turn */
export function chooseMove(overlap: Overlap, open: number, queued: number): SlotMove {
  if (overlap === 'allow' || (open === 0 && queued === 0)) return 'start'
  if (overlap === 'replace') return 'replace'
  if (overlap === 'skip') return open === 0 ? 'start' : 'skip'
  return queued < mostQueued ? 'queue' : 'skip'
}
