import type { TaskId, TenantId } from '../../../foundation/kernel/ids.ts'

/** The lease that waits for news of a remote agent. */
export interface PushLease {
  readonly tenant: TenantId
  readonly taskId: TaskId
  readonly fence: number
}

/** What a remote agent is told so that it can tell us of news. */
export interface PushAddress {
  readonly url: string
  /** A JSON Web Token that names the lease. It goes with each notification, as `Authorization: Bearer`. */
  readonly token: string
  /** Nobody waits any more. */
  close(): void
}

/** Where remote agents tell of news. A notification is only a reason to look: its content is never believed. */
export interface PushPort {
  /** Whether anybody outside can reach us at all. */
  readonly reachable: boolean
  open(lease: PushLease, onNews: () => void): PushAddress
}
