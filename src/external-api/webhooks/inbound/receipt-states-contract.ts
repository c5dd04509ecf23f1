import type { StateTable } from '../../../foundation/kernel/state-table.ts'
import type { ReceiptState } from '../sources-contract.ts'

export type ReceiptEvent = 'route' | 'ignore' | 'retry' | 'fail' | 'again'

/** A webhook from its receipt to what became of it. */
export const receiptTable: StateTable<ReceiptState, ReceiptEvent> = {
  received: { route: 'routed', ignore: 'ignored', retry: 'retrying', fail: 'failed', again: null },
  retrying: { route: 'routed', ignore: 'ignored', retry: 'retrying', fail: 'failed', again: 'received' },
  routed: { route: null, ignore: null, retry: null, fail: null, again: 'received' },
  ignored: { route: null, ignore: null, retry: null, fail: null, again: 'received' },
  failed: { route: null, ignore: null, retry: null, fail: null, again: 'received' },
}
