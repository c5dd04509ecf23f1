import type { RunId, TaskId, TenantId } from '../../foundation/kernel/ids.ts'

/** Bytes that an attempt printed, secrets masked. A character may be cut between two chunks. */
export interface LogChunk {
  readonly tenant: TenantId
  readonly runId: RunId
  readonly taskId: TaskId
  readonly step: string
  readonly item: number | null
  readonly attempt: number
  readonly fence: number
  /** 0, 1, 2 ... within the attempt, over both streams: the order in which they came. */
  readonly seq: number
  readonly stream: 'stdout' | 'stderr'
  /** Database time, ISO 8601. */
  readonly at: string
  readonly bytes: Uint8Array
}

/** Where output of attempts is kept. */
export interface LogSink {
  /**
   * Keeps a batch, of any number of attempts. A chunk may come twice when the first call failed; (fence, seq) tells.
   * Writers wait while it is slow.
   */
  append(chunks: readonly LogChunk[]): Promise<void>
}

/** Keeps nothing. */
export const noLogs: LogSink = { append: async () => {} }
