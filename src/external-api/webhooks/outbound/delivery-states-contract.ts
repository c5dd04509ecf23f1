import type { StateTable } from '../../../foundation/kernel/state-table.ts'
import type { DeliveryState } from '../subscriptions-contract.ts'

/**
 * `claim`: somebody sends it (also when whoever sent it before was lost). `deliver`: answered with 2xx. `retry`: failed,
 * to be tried again. `exhaust`: given up. `cancel`: no longer wanted. `again`: to be sent once more.
 */
export type DeliveryEvent = 'claim' | 'deliver' | 'retry' | 'exhaust' | 'cancel' | 'again'

export const deliveryTable: StateTable<DeliveryState, DeliveryEvent> = {
  pending: { claim: 'sending', deliver: null, retry: null, exhaust: null, cancel: 'cancelled', again: null },
  sending: {
    claim: 'sending',
    deliver: 'delivered',
    retry: 'retrying',
    exhaust: 'dead',
    cancel: 'cancelled',
    again: null,
  },
  retrying: { claim: 'sending', deliver: null, retry: null, exhaust: null, cancel: 'cancelled', again: 'pending' },
  delivered: { claim: null, deliver: null, retry: null, exhaust: null, cancel: null, again: 'pending' },
  dead: { claim: null, deliver: null, retry: null, exhaust: null, cancel: null, again: 'pending' },
  cancelled: { claim: null, deliver: null, retry: null, exhaust: null, cancel: null, again: 'pending' },
}
