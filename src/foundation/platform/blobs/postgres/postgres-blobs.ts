import { type IdSource, systemIds } from '../../../kernel/ids.ts'
import type { Database } from '../../database/database.ts'
import { inPieces, receive, resolveRange } from '../blob-content.ts'
import { blobErrors } from '../blob-errors.ts'
import { parseBlobKey, parseBlobPrefix } from '../blob-key.ts'
import type { BlobStore } from '../blob-store.ts'
import * as rows from './blob-rows.ts'

/** Pieces sent or read in one transaction: 1 MiB. */
const piecesATime = 4
const entriesATime = 500

export interface PostgresBlobsOptions {
  readonly database: Database
  readonly ids?: IdSource
}

/**
 * Blobs as pieces of 256 KiB in the table `blobs`, each tenant's behind its own row-level security. A small blob is one
 * transaction. A larger one is written under a name of its own in short transactions, because nobody knows how fast its
 * source is, and takes its key in the last.
 */
export function createPostgresBlobs({ database, ids = systemIds }: PostgresBlobsOptions): BlobStore {
  return {
    kind: 'postgres',
    async put(key, content, options = {}) {
      const { tenant, path } = parseBlobKey(key)
      const scope = database.forTenant(tenant)
      const incoming = receive(content, options)
      const upload = rows.uploadName(path, ids.next<string>('up'))
      let waiting: Buffer[] = []
      let sent = 0
      try {
        for await (const piece of inPieces(incoming, rows.pieceBytes)) {
          if (waiting.length === piecesATime) {
            const batch = waiting
            const first = sent
            await scope.write(async (tx) => {
              if (first === 0) await rows.insertHeader(tx, tenant, upload, null, database.clock.now())
              await rows.insertPieces(tx, tenant, upload, first, batch)
            })
            sent += waiting.length
            waiting = []
          }
          waiting.push(piece)
        }
        const summary = incoming.summary()
        await scope.write(async (tx) => {
          await rows.lockKey(tx, tenant, path)
          await rows.deleteBlob(tx, tenant, path)
          if (sent > 0) await rows.renamePieces(tx, tenant, upload, path)
          await rows.insertPieces(tx, tenant, path, sent, waiting)
          await rows.insertHeader(tx, tenant, path, summary, database.clock.now())
        })
        return summary
      } catch (error) {
        // What cannot be removed now is removed with the remains.
        if (sent > 0) await scope.write((tx) => rows.deleteBlob(tx, tenant, upload)).catch(() => undefined)
        throw error
      }
    },
    async get(key, { range, signal } = {}) {
      const { tenant, path } = parseBlobKey(key)
      const scope = database.forTenant(tenant)
      const header = await scope.read((tx) => rows.findHeader(tx, tenant, path))
      if (header === null) throw blobErrors['blob-not-found'](`there is no blob ${key}`)
      const { start, end } = resolveRange(range, header.size)

      async function* read(): AsyncGenerator<Uint8Array> {
        for (let at = start; at < end; ) {
          signal?.throwIfAborted()
          const piece = Math.floor(at / rows.pieceBytes)
          const last = Math.min(piece + piecesATime, Math.ceil(end / rows.pieceBytes))
          const pieces = await scope.read((tx) => rows.readPieces(tx, tenant, path, header!, piece, last))
          if (pieces.length !== last - piece) {
            throw blobErrors['blob-corrupt'](`the blob ${key} was replaced, or lacks a piece`)
          }
          for (const [index, bytes] of pieces.entries()) {
            const offset = (piece + index) * rows.pieceBytes
            yield bytes.subarray(Math.max(0, at - offset), Math.min(bytes.length, end - offset))
          }
          at = last * rows.pieceBytes
        }
      }

      return { bytes: header.size, body: read() }
    },
    async find(key) {
      const { tenant, path } = parseBlobKey(key)
      const header = await database.forTenant(tenant).read((tx) => rows.findHeader(tx, tenant, path))
      return header === null ? null : { key, bytes: header.size, storedAt: header.stored_at }
    },
    async delete(key) {
      const { tenant, path } = parseBlobKey(key)
      await database.forTenant(tenant).write((tx) => rows.deleteBlob(tx, tenant, path))
    },
    async *list(prefix) {
      const { tenant, path } = parseBlobPrefix(prefix)
      const scope = database.forTenant(tenant)
      for (let after = ''; ; ) {
        const from = after
        const entries = await scope.read((tx) => rows.listHeaders(tx, tenant, path, from, entriesATime))
        for (const entry of entries) {
          yield { key: `${tenant}/${entry.key}`, bytes: entry.size, storedAt: entry.stored_at }
        }
        if (entries.length < entriesATime) return
        after = entries.at(-1)!.key
      }
    },
    tenants: () => database.asSystem('blob-tenants').read(rows.listTenants),
    removeRemains: (before) => database.asSystem('blob-remains').write((tx) => rows.deleteUploads(tx, before)),
  }
}
