import type { TenantId } from '../../kernel/ids.ts'

export type BlobContent = Uint8Array | AsyncIterable<Uint8Array>

export interface PutOptions {
  /** The most bytes that are taken; more is refused with `blob-too-large` and leaves nothing behind. Default 5 GiB. */
  readonly maxBytes?: number
  readonly signal?: AbortSignal
}

export interface StoredBlob {
  readonly bytes: number
  /** Of the content as it was received, lower-case hex. */
  readonly sha256: string
}

/** Bytes `start` up to and without `end`; without `end`, up to the last. */
export interface ByteRange {
  readonly start: number
  readonly end?: number
}

export interface GetOptions {
  readonly range?: ByteRange
  readonly signal?: AbortSignal
}

export interface OpenBlob {
  /** Size of the whole blob, whatever the range. */
  readonly bytes: number
  /** Can be read once; leaving it early frees what it holds. */
  readonly body: AsyncIterable<Uint8Array>
}

export interface BlobEntry {
  readonly key: string
  readonly bytes: number
  readonly storedAt: Date
}

/**
 * Where bytes of any size are kept: artifacts, logs, checkpoints. A key is `tenant/...`: segments of letters, digits and
 * `. _ -`, at most 512 characters. A blob is there as a whole or not at all; one put over another replaces it at once.
 * Errors: those of blob-errors.ts.
 */
export interface BlobStore {
  readonly kind: 'folder' | 'postgres' | 's3'
  /** Durable when it resolves. */
  put(key: string, content: BlobContent, options?: PutOptions): Promise<StoredBlob>
  /** Throws `blob-not-found`, and `blob-range-invalid` where the range begins after the end. */
  get(key: string, options?: GetOptions): Promise<OpenBlob>
  /** Null where there is none. */
  find(key: string): Promise<BlobEntry | null>
  /** Nothing happens where there is none. */
  delete(key: string): Promise<void>
  /** Blobs whose key begins with `prefix`, which names a tenant (`tenant/`), in the order of their keys. */
  list(prefix: string): AsyncIterable<BlobEntry>
  /** The tenants that have blobs. */
  tenants(): Promise<readonly TenantId[]>
  /** Removes what uploads left behind that broke off before `before`. Returns how many. */
  removeRemains(before: Date): Promise<number>
}
