import { z } from 'zod'
import type { StateTable } from '../../../../foundation/kernel/state-table.ts'

/** `closed`: requests pass. `open`: none do. `half-open`: a few try whether it works again. */
export const breakerStateSchema = z.enum(['closed', 'open', 'half-open'])
export type BreakerState = z.output<typeof breakerStateSchema>

/**
 * `trip`: too much has failed. `time-over`: it was open for long enough. `recover`: enough probes succeeded. `fail`: a
 * probe failed. A trip while it is open comes from requests that were under way, and changes nothing.
 */
export type BreakerEvent = 'trip' | 'time-over' | 'recover' | 'fail'

export const breakerTable: StateTable<BreakerState, BreakerEvent> = {
  closed: { trip: 'open', 'time-over': null, recover: null, fail: null },
  open: { trip: 'open', 'time-over': 'half-open', recover: null, fail: 'open' },
  'half-open': { trip: 'open', 'time-over': null, recover: 'closed', fail: 'open' },
}
