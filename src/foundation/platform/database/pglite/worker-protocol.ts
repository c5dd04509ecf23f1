/** What the worker is started with. */
export interface WorkerData {
  /** The folder of the PostgreSQL data; undefined for memory. */
  readonly dataDir: string | undefined
  /** A gzipped tar of a data folder to begin with, for memory only. */
  readonly image: string | undefined
  /** Memory for pages, MiB. */
  readonly bufferMiB: number
}

/** To the worker: bytes of the wire protocol to run, or a request about the database as a whole. */
export type ToWorker = Uint8Array<ArrayBuffer> | { readonly request: 'dump' | 'close' }

/** From the worker: bytes of the wire protocol, or what became of a request. */
export type FromWorker =
  | Uint8Array<ArrayBuffer>
  | { readonly event: 'ready' }
  | { readonly event: 'closed' }
  | { readonly event: 'dumped'; readonly tar: Uint8Array<ArrayBuffer> }
  | { readonly event: 'failed'; readonly message: string }
