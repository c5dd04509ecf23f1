import { join } from 'node:path'
import type { Database } from '../database/database.ts'
import { blobErrors } from './blob-errors.ts'
import type { BlobLocation } from './blob-location.ts'
import type { BlobStore } from './blob-store.ts'
import { createFolderBlobs } from './folder/folder-blobs.ts'
import { createPostgresBlobs } from './postgres/postgres-blobs.ts'
import { createS3Blobs } from './s3/s3-blobs.ts'

export interface BlobStoreOptions {
  /** Null: `blobs` in the data folder beside the embedded database, else in the database itself. */
  readonly location: BlobLocation | null
  readonly dataFolder: string
  readonly database: Database
  /** A variable of the environment by its name, for the usual AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN. */
  readonly variable: (name: string) => string | undefined
}

/** The blob store that the configuration asks for. Nothing is touched before the first call. */
export function openBlobStore({ location, dataFolder, database, variable }: BlobStoreOptions): BlobStore {
  const chosen = location ?? defaultLocation(database, dataFolder)
  switch (chosen.kind) {
    case 'folder':
      return createFolderBlobs({ folder: chosen.folder })
    case 'postgres':
      return createPostgresBlobs({ database })
    case 's3':
      return createS3Blobs({ ...chosen, credentials: readCredentials(variable) })
  }
}

/** Beside the embedded database a folder; with a server its own tables, because several processes must see the same blobs. */
function defaultLocation(database: Database, dataFolder: string): BlobLocation {
  return database.kind === 'pglite' ? { kind: 'folder', folder: join(dataFolder, 'blobs') } : { kind: 'postgres' }
}

function readCredentials(variable: (name: string) => string | undefined) {
  const accessKeyId = variable('AWS_ACCESS_KEY_ID')
  const secretAccessKey = variable('AWS_SECRET_ACCESS_KEY')
  const sessionToken = variable('AWS_SESSION_TOKEN')
  if (!accessKeyId || !secretAccessKey) {
    throw blobErrors['blob-store-refused']('AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not both set')
  }
  return { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) }
}
