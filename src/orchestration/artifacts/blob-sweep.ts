import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { BlobStore } from '../../foundation/platform/blobs/blob-store.ts'
import type { Database, ReadTx } from '../../foundation/platform/database/database.ts'
import { createLoop, type Loop } from '../../foundation/runtime/loop.ts'
import { blobsOfArtifacts } from './artifacts-store.ts'
import { artifactFolder } from './store-artifact.ts'

/** Says which of some blobs are still referred to. */
export type BlobReferences = (tx: ReadTx, tenant: TenantId, blobs: readonly string[]) => Promise<readonly string[]>

export interface BlobSweepOptions {
  readonly database: Database
  readonly blobs: BlobStore
  /** Who refers to blobs besides artifacts: checkpoints. */
  readonly references: readonly BlobReferences[]
  /** Younger blobs stay: their attempt may still be under way. Default one day. */
  readonly minAgeMs?: number
}

export interface BlobSweep {
  readonly seen: number
  readonly deleted: number
  /** Uploads that had broken off. */
  readonly remains: number
}

const day = 86_400_000
const batchSize = 500

/**
 * One round: deletes the blobs of artifacts that are older than a day and that nobody refers to. Every blob has a key of
 * its own that is never used again, so none can come to be referred to between the look and the delete.
 */
export async function sweepBlobs(options: BlobSweepOptions, signal: AbortSignal): Promise<BlobSweep> {
  const { database, blobs, minAgeMs = day } = options
  const before = new Date(database.clock.now().getTime() - minAgeMs)
  let seen = 0
  let deleted = 0
  for (const tenant of await blobs.tenants()) {
    let batch: string[] = []
    for await (const { key, storedAt } of blobs.list(`${tenant}/${artifactFolder}/`)) {
      signal.throwIfAborted()
      seen += 1
      if (storedAt < before) batch.push(key)
      if (batch.length < batchSize) continue
      deleted += await deleteUnused(options, tenant, batch)
      batch = []
    }
    if (batch.length > 0) deleted += await deleteUnused(options, tenant, batch)
  }
  return { seen, deleted, remains: await blobs.removeRemains(before) }
}

/** Sweeps from now on, every so often (default 6 hours). */
export function startBlobSweep(
  options: BlobSweepOptions & {
    readonly everyMs?: number
    readonly onRound?: (sweep: BlobSweep) => void
    readonly onError: (error: unknown) => void
  },
): Loop {
  return createLoop({
    pollMs: options.everyMs ?? day / 4,
    onError: options.onError,
    step: async (signal) => {
      const sweep = await sweepBlobs(options, signal)
      options.onRound?.(sweep)
    },
  })
}

/** Nearly all blobs are those of artifacts, which are found by an index; the others are asked about the rest only. */
async function deleteUnused(options: BlobSweepOptions, tenant: TenantId, keys: readonly string[]): Promise<number> {
  const unused = new Set(keys)
  await options.database.forTenant(tenant).read(async (tx) => {
    for (const references of [blobsOfArtifacts, ...options.references]) {
      if (unused.size === 0) return
      for (const used of await references(tx, tenant, [...unused])) unused.delete(used)
    }
  })
  for (const key of unused) await options.blobs.delete(key)
  return unused.size
}
