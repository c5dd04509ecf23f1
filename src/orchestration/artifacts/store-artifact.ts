import { createReadStream } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { isAppError } from '../../foundation/kernel/errors.ts'
import { type IdSource, systemIds } from '../../foundation/kernel/ids.ts'
import type { BlobStore } from '../../foundation/platform/blobs/blob-store.ts'
import type { ArtifactSink } from '../runners/artifact-sink.ts'

export interface ArtifactSinkOptions {
  readonly blobs: BlobStore
  /** Largest file that is kept. Default 1 GiB. */
  readonly maxBytes?: number
  readonly ids?: IdSource
}

/** With the pauses between them about 16 s. */
const tries = 8

/** Keeps the files of attempts as blobs. Each gets a key of its own, so that an attempt never touches another's. */
export function createArtifactSink({
  blobs,
  maxBytes = 1_073_741_824,
  ids = systemIds,
}: ArtifactSinkOptions): ArtifactSink {
  return {
    async store({ tenant }, content, signal) {
      const blob = `${tenant}/${artifactFolder}/${ids.next<string>('blob')}`
      for (let attempt = 1; ; attempt++) {
        try {
          const source = 'path' in content ? readLater(content.path) : content.data
          return { ...(await blobs.put(blob, source, { maxBytes, signal })), blob }
        } catch (error) {
          // The work is done, and would be lost with its files: a store that is away is worth some patience.
          if (attempt >= tries || !isAppError(error) || error.kind !== 'unavailable') throw error
          await sleep(Math.min(5_000, 100 * 2 ** attempt), undefined, { signal })
        }
      }
    },
  }
}

/** Opens the file when it is wanted: a stream that fails before anybody reads from it would end the process. */
async function* readLater(path: string): AsyncGenerator<Uint8Array> {
  yield* createReadStream(path)
}

/** Where the blobs of artifacts lie in the store, below their tenant. */
export const artifactFolder = 'artifacts'
