import { createHash } from 'node:crypto'
import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { BlobStore } from '../../foundation/platform/blobs/blob-store.ts'
import type { Database } from '../../foundation/platform/database/database.ts'
import { artifactErrors } from './artifacts-errors.ts'
import { type ArtifactRow, findArtifact } from './artifacts-store.ts'

export interface ArtifactContent {
  readonly artifact: ArtifactRow
  /** Ends with `artifact-damaged` instead of its last bytes where the content is not what was handed in. */
  readonly body: AsyncIterable<Uint8Array>
}

/** The content of an artifact. Errors: `artifact-not-found`, `artifact-damaged`, those of the blob store. */
export async function readArtifact(
  database: Database,
  blobs: BlobStore,
  tenant: TenantId,
  id: string,
  signal: AbortSignal,
): Promise<ArtifactContent> {
  const artifact = await database.forTenant(tenant).read((tx) => findArtifact(tx, tenant, id))
  if (artifact === null) throw artifactErrors['artifact-not-found'](`there is no artifact ${id}`)
  // Runners name the blobs they stored; none may name one of another tenant.
  if (!artifact.blob.startsWith(`${tenant}/`)) throw damaged(artifact)
  const { bytes, body } = await blobs.get(artifact.blob, { signal })
  if (bytes !== artifact.bytes) throw damaged(artifact)
  return { artifact, body: verified(artifact, body) }
}

/** Holds one chunk back until the next has come, so that damage is known before everything has been handed out. */
async function* verified(artifact: ArtifactRow, body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256')
  let held: Uint8Array | null = null
  for await (const chunk of body) {
    hash.update(chunk)
    if (held !== null) yield held
    held = chunk
  }
  if (hash.digest('hex') !== artifact.sha256) throw damaged(artifact)
  if (held !== null) yield held
}

function damaged({ id, name, blob }: ArtifactRow): Error {
  return artifactErrors['artifact-damaged'](`the content of artifact ${id} (${name}) is damaged`, { details: { blob } })
}
