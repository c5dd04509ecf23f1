import type { LoggedEvent } from '../../foundation/runtime/event-log.ts'
import type { Subscription } from '../../foundation/runtime/log-window.ts'

/** Where subscribers of this process get their events from: the log itself, or NATS. */
export interface EventFeed {
  /**
   * Events in order, in batches, without end, until `signal` aborts. A `from` that cannot be read is refused at once, and
   * later where the log was replaced or cut off: `cursor-reset`.
   */
  open(subscription: Subscription, signal: AbortSignal): Promise<AsyncGenerator<readonly LoggedEvent[]>>
}
