import type { BlobStore } from '../../foundation/platform/blobs/index.ts'

export interface CopiedBlobs {
  readonly blobs: number
  readonly bytes: number
}

/** Copies what is not there yet, so that a copy that broke off goes on. A blob is there as a whole or not at all. */
export async function copyBlobs(
  from: BlobStore,
  to: BlobStore,
  signal: AbortSignal,
  onBlob: (done: CopiedBlobs) => void,
): Promise<CopiedBlobs> {
  let blobs = 0
  let bytes = 0
  for (const tenant of await from.tenants()) {
    for await (const entry of from.list(`${tenant}/`)) {
      signal.throwIfAborted()
      const there = await to.find(entry.key)
      if (there?.bytes !== entry.bytes)
        await to.put(entry.key, (await from.get(entry.key, { signal })).body, { signal })
      blobs += 1
      bytes += entry.bytes
      onBlob({ blobs, bytes })
    }
  }
  return { blobs, bytes }
}
