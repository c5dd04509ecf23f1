import type { RunId, TaskId, TenantId } from '../../foundation/kernel/ids.ts'

export interface StoredContent {
  readonly bytes: number
  /** Lower-case hex. */
  readonly sha256: string
  /** The name under which the bytes are found again. */
  readonly blob: string
}

/** Where files of attempts are kept. The rows that name them are written with the report of the attempt. */
export interface ArtifactSink {
  /** Copies a file, or bytes, to where they stay. The same content twice is kept once, or twice: that is up to the sink. */
  store(
    owner: { readonly tenant: TenantId; readonly runId: RunId; readonly taskId: TaskId },
    content: { readonly path: string } | { readonly data: Uint8Array },
    signal: AbortSignal,
  ): Promise<StoredContent>
}
