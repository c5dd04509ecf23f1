import { createHash } from 'node:crypto'
import type { TenantId } from '../../kernel/ids.ts'
import type { Database } from '../database/database.ts'
import { sql } from '../database/sql.ts'
import { blobErrors } from './blob-errors.ts'
import type { BlobStore } from './blob-store.ts'

const chunkBytes = 262_144

/** Blobs as rows of `blobs`, 256 KiB each: for replicas that share a database and nothing else. */
export function databaseBlobs(database: Database): BlobStore {
  const insert = (tenant: TenantId, key: string, chunk: number, bytes: Buffer) =>
    database.forTenant(tenant).write((tx) =>
      tx.execute(sql`
        insert into blobs (tenant_id, key, chunk, bytes)
        values (${tenant}, ${key}, ${chunk}, decode(${bytes.toString('base64')}, 'base64'))
        on conflict (tenant_id, key, chunk) do update set bytes = excluded.bytes`),
    )
  return {
    async put(tenant, key, content, signal) {
      const hash = createHash('sha256')
      let bytes = 0
      let chunk = 1
      try {
        for await (const piece of inPieces(content)) {
          signal?.throwIfAborted()
          hash.update(piece)
          bytes += piece.length
          await insert(tenant, key, chunk++, piece)
        }
        // Chunk 0 comes last: it says that the others are all there, and how many.
        await insert(tenant, key, 0, Buffer.from(String(chunk - 1)))
      } catch (error) {
        await this.delete(tenant, key)
        throw error
      }
      return { bytes, sha256: hash.digest('hex') }
    },
    async *get(tenant, key) {
      const read = async (chunk: number) => {
        const rows = await database.forTenant(tenant).read((tx) =>
          tx.query<{ bytes: string }>(sql`
            select encode(bytes, 'base64') as bytes from blobs
            where tenant_id = ${tenant} and key = ${key} and chunk = ${chunk}`),
        )
        if (rows[0] === undefined) throw blobErrors['blob-missing'](`the content ${key} is gone`)
        return Buffer.from(rows[0].bytes, 'base64')
      }
      const count = Number((await read(0)).toString())
      for (let chunk = 1; chunk <= count; chunk++) yield await read(chunk)
    },
    async delete(tenant, key) {
      await database
        .forTenant(tenant)
        .write((tx) => tx.execute(sql`delete from blobs where tenant_id = ${tenant} and key = ${key}`))
    },
  }
}

async function* inPieces(content: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  let held: Buffer[] = []
  let size = 0
  for await (const chunk of content) {
    held.push(Buffer.from(chunk))
    size += chunk.length
    if (size < chunkBytes) continue
    let all = Buffer.concat(held)
    while (all.length >= chunkBytes) {
      yield all.subarray(0, chunkBytes)
      all = all.subarray(chunkBytes)
    }
    held = [all]
    size = all.length
  }
  if (size > 0) yield Buffer.concat(held)
}
