import type { RunId, TenantId } from '../../foundation/kernel/ids.ts'
import type { BlobStore } from '../../foundation/platform/blobs/blob-store.ts'
import type { Database, ReadTx } from '../../foundation/platform/database/database.ts'
import { type Route, route } from '../../foundation/platform/http/route.ts'
import { artifactContent, runArtifacts } from '../runs/run-endpoints-contract.ts'
import { artifactsOfRuns } from './artifacts-store.ts'
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

export interface ArtifactListOptions {
  readonly database: Database
  /** Throws `run-not-found`; the `runs` part provides it. */
  readonly requireRun: (tx: ReadTx, tenant: TenantId, runId: string) => Promise<void>
  /** A run and those that it called; the `runs` part provides it. */
  readonly runsUnder: (tx: ReadTx, tenant: TenantId, run: RunId, most: number) => Promise<readonly RunId[]>
}

const mostRuns = 1_000
const mostListed = 1_000

export function artifactListRoutes({ database, requireRun, runsUnder }: ArtifactListOptions): Route[] {
  return [
    route({
      ...runArtifacts,
      permission: 'artifacts:read',
      handle: async ({ params: { id }, principal: { tenant } }) => {
        const found = await database.forTenant(tenant).read(async (tx) => {
          await requireRun(tx, tenant, id)
          return artifactsOfRuns(tx, tenant, await runsUnder(tx, tenant, id as RunId, mostRuns), mostListed + 1)
        })
        const items = found.slice(0, mostListed).map(({ blob: _, ...artifact }) => artifact)
        return { items, more: found.length > mostListed }
      },
    }),
  ]
}
