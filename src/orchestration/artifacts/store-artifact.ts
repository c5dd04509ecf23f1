import { createReadStream } from 'node:fs'
import { type IdSource, systemIds } from '../../foundation/kernel/ids.ts'
import type { BlobStore } from '../../foundation/platform/blobs/blob-store.ts'
import type { ArtifactSink } from '../runners/artifact-sink.ts'

/** Keeps the files of attempts as blobs. Each gets a key of its own, so that an attempt never touches another's. */
export function artifactSink(blobs: BlobStore, ids: IdSource = systemIds): ArtifactSink {
  return {
    async store(owner, content, signal) {
      const key = ids.next<string>('blob')
      const source = 'path' in content ? createReadStream(content.path) : one(content.data)
      const stored = await blobs.put(owner.tenant, key, source, signal)
      return { ...stored, blob: key }
    },
  }
}

async function* one(data: Uint8Array): AsyncGenerator<Uint8Array> {
  if (data.length > 0) yield data
}
