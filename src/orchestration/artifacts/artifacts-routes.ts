import type { BlobStore } from '../../foundation/platform/blobs/blob-store.ts'
import type { Database } from '../../foundation/platform/database/database.ts'
import { type Route, route } from '../../foundation/platform/http/route.ts'
import { artifactContent } from '../runs/run-endpoints-contract.ts'
import { artifactErrors } from './artifacts-errors.ts'
import { findArtifact } from './artifacts-store.ts'

export function artifactRoutes(database: Database, blobs: BlobStore): Route[] {
  return [
    route({
      ...artifactContent,
      permission: 'artifacts:read',
      handle: async ({ params, principal }) => {
        const { tenant } = principal
        const artifact = await database.forTenant(tenant).read((tx) => findArtifact(tx, tenant, params.id))
        if (artifact === null) throw artifactErrors['artifact-not-found'](`there is no artifact ${params.id}`)
        const { mediaType, bytes, name, blob } = artifact
        return { mediaType, bytes, fileName: name, body: blobs.get(tenant, blob) }
      },
    }),
  ]
}
