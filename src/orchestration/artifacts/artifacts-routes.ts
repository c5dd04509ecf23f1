import type { BlobStore } from '../../foundation/platform/blobs/blob-store.ts'
import type { Database } from '../../foundation/platform/database/database.ts'
import { type Route, route } from '../../foundation/platform/http/route.ts'
import { artifactContent } from '../runs/run-endpoints-contract.ts'
import { readArtifact } from './read-artifact.ts'

/** Only a plain `type/subtype`, with parameters or not, may stand in a header; agents wrote it. */
const mediaTypePattern = /^[\w.+-]{1,100}\/[\w.+-]{1,100}(; ?[\w-]{1,40}=[\w.+-]{1,100}){0,3}$/

export function artifactRoutes(database: Database, blobs: BlobStore): Route[] {
  return [
    route({
      ...artifactContent,
      permission: 'artifacts:read',
      handle: async ({ params, principal, signal }) => {
        const { artifact, body } = await readArtifact(database, blobs, principal.tenant, params.id, signal)
        const mediaType = mediaTypePattern.test(artifact.mediaType) ? artifact.mediaType : 'application/octet-stream'
        return { mediaType, bytes: artifact.bytes, fileName: artifact.name, body }
      },
    }),
  ]
}
