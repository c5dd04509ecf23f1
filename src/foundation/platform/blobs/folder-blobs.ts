import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { TenantId } from '../../kernel/ids.ts'
import { blobErrors } from './blob-errors.ts'
import type { BlobStore } from './blob-store.ts'

/** Blobs as files: `<folder>/<tenant>/<key>`. A file appears under its name only when it is whole and on the disk. */
export function folderBlobs(folder: string): BlobStore {
  const pathOf = (tenant: TenantId, key: string) => {
    if (!/^[\w-]+$/.test(tenant) || !/^[\w-]{2,200}$/.test(key)) throw new Error(`${tenant}/${key} is not a blob key`)
    return join(folder, tenant, key.slice(-2), key)
  }
  return {
    async put(tenant, key, content, signal) {
      const path = pathOf(tenant, key)
      await mkdir(dirname(path), { recursive: true, mode: 0o700 })
      const partial = `${path}.${process.pid}.partial`
      const file = await open(partial, 'w', 0o600)
      const hash = createHash('sha256')
      let bytes = 0
      try {
        for await (const chunk of content) {
          signal?.throwIfAborted()
          hash.update(chunk)
          bytes += chunk.length
          await file.write(chunk)
        }
        await file.sync()
        await file.close()
        await rename(partial, path)
      } catch (error) {
        await file.close().catch(() => {})
        await rm(partial, { force: true })
        throw error
      }
      return { bytes, sha256: hash.digest('hex') }
    },
    async *get(tenant, key) {
      try {
        for await (const chunk of createReadStream(pathOf(tenant, key))) yield chunk as Buffer
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
        throw blobErrors['blob-missing'](`the content ${key} is gone`)
      }
    },
    async delete(tenant, key) {
      await rm(pathOf(tenant, key), { force: true })
    },
  }
}
