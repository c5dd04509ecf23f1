import { createHash } from 'node:crypto'
import { isAppError } from '../../foundation/kernel/errors.ts'
import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { BlobStore, StoredBlob } from '../../foundation/platform/blobs/index.ts'
import { remoteRunnerErrors } from './remote-runners-errors.ts'

export interface Upload {
  readonly tenant: TenantId
  readonly runnerId: string
  readonly upload: string
}

export interface FinishedUpload {
  readonly pieces: number
  readonly sha256: string
}

/**
 * Files that come in pieces, over one server or several. A piece lies where the blobs of artifacts lie, so that those of an
 * upload that broke off go with what nobody refers to.
 */
export class RunnerUploads {
  readonly #blobs: BlobStore
  readonly #folder: string

  constructor(blobs: BlobStore, folder: string) {
    this.#blobs = blobs
    this.#folder = folder
  }

  async put(upload: Upload, piece: number, bytes: Uint8Array, signal: AbortSignal): Promise<void> {
    await this.#blobs.put(this.#keyOf(upload, piece), bytes, { signal })
  }

  /** Puts the pieces together; a second time it answers the same. Errors: `upload-incomplete`, `blob-too-large`. */
  async finish(
    upload: Upload,
    { pieces, sha256 }: FinishedUpload,
    maxBytes: number,
    signal: AbortSignal,
  ): Promise<StoredBlob & { readonly blob: string }> {
    const blob = this.#keyOf(upload, 'whole')
    const done = await this.#digest(blob)
    if (done?.sha256 === sha256) return { blob, ...done }
    const stored = await this.#blobs.put(blob, this.#read(upload, pieces), { maxBytes, signal })
    if (stored.sha256 !== sha256) {
      await this.#blobs.delete(blob)
      throw incomplete(upload)
    }
    await this.remove(upload, pieces)
    return { blob, ...stored }
  }

  /** The whole, which ends with `upload-incomplete` instead of its last bytes where it is not what was announced. */
  async *readWhole(upload: Upload, { pieces, sha256 }: FinishedUpload): AsyncGenerator<Uint8Array> {
    const hash = createHash('sha256')
    let held: Uint8Array | null = null
    for await (const chunk of this.#read(upload, pieces)) {
      hash.update(chunk)
      if (held !== null) yield held
      held = chunk
    }
    if (hash.digest('hex') !== sha256) throw incomplete(upload)
    if (held !== null) yield held
  }

  async *#read(upload: Upload, pieces: number): AsyncGenerator<Uint8Array> {
    for (let piece = 0; piece < pieces; piece++) {
      const found = await this.#blobs.get(this.#keyOf(upload, piece)).catch((error) => {
        throw isAppError(error, 'blob-not-found') ? incomplete(upload) : error
      })
      yield* found.body
    }
  }

  async remove(upload: Upload, pieces: number): Promise<void> {
    for (let piece = 0; piece < pieces; piece++) await this.#blobs.delete(this.#keyOf(upload, piece))
  }

  async #digest(blob: string): Promise<StoredBlob | null> {
    if ((await this.#blobs.find(blob)) === null) return null
    const { bytes, body } = await this.#blobs.get(blob)
    const hash = createHash('sha256')
    for await (const chunk of body) hash.update(chunk)
    return { bytes, sha256: hash.digest('hex') }
  }

  #keyOf({ tenant, runnerId, upload }: Upload, piece: number | 'whole'): string {
    return `${tenant}/${this.#folder}/${runnerId}-${upload}.${piece}`
  }
}

function incomplete({ upload }: Upload): Error {
  return remoteRunnerErrors['upload-incomplete'](`the upload ${upload} is not what was announced`)
}
