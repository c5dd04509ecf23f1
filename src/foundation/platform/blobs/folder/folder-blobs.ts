import { mkdir, open, readdir, rename, rm, rmdir, stat } from 'node:fs/promises'
import { dirname, join, sep } from 'node:path'
import { asId, type TenantId } from '../../../kernel/ids.ts'
import { type Random, systemRandom } from '../../../kernel/random.ts'
import { makeFolder } from '../../data-folder/make-folder.ts'
import { receive, resolveRange } from '../blob-content.ts'
import { blobErrors } from '../blob-errors.ts'
import { parseBlobKey, parseBlobPrefix } from '../blob-key.ts'
import type { BlobEntry, BlobStore } from '../blob-store.ts'
import { explainFileError, isMissing } from './file-errors.ts'

const readBytes = 262_144
/** Uploads lie here until they are whole. No tenant begins with a dot. */
const uploads = '.uploads'
/** Not a character of keys: a blob `a` and blobs under `a/` do not meet. */
const fileEnd = '~'

export interface FolderBlobsOptions {
  /** Absolute; made when the first blob is put. */
  readonly folder: string
  readonly random?: Random
}

/**
 * Blobs as files. A blob is written beside its place, flushed to the disk, renamed into its place, and the folder
 * flushed: after a power cut it is there whole or not at all.
 */
export function createFolderBlobs({ folder, random = systemRandom }: FolderBlobsOptions): BlobStore {
  const fileOf = (key: string) => {
    const { tenant, path } = parseBlobKey(key)
    return `${join(folder, tenant, ...path.split('/'))}${fileEnd}`
  }

  async function openUpload() {
    const path = join(folder, uploads, Buffer.from(random.bytes(16)).toString('hex'))
    await makeFolder(dirname(path))
    return { path, file: await open(path, 'wx', 0o600) }
  }

  return {
    kind: 'folder',
    async put(key, content, options = {}) {
      const target = fileOf(key)
      const incoming = receive(content, options)
      try {
        const { path, file } = await openUpload()
        try {
          try {
            for await (const chunk of incoming) await file.writeFile(chunk)
            await file.sync()
          } finally {
            await file.close()
          }
          await moveInto(path, target, folder)
        } catch (error) {
          await rm(path, { force: true })
          throw error
        }
      } catch (error) {
        throw incoming.threw(error) ? error : explainFileError(error, folder)
      }
      return incoming.summary()
    },
    async get(key, { range, signal } = {}) {
      const path = fileOf(key)
      const entry = await entryOf(path, key, folder)
      if (entry === null) throw blobErrors['blob-not-found'](`there is no blob ${key}`)
      const { start, end } = resolveRange(range, entry.bytes)
      return { bytes: entry.bytes, body: readFile(path, entry, { start, end }, folder, signal) }
    },
    async find(key) {
      return entryOf(fileOf(key), key, folder)
    },
    async delete(key) {
      const file = fileOf(key)
      try {
        await rm(file, { force: true })
        await removeEmpty(dirname(file), folder)
      } catch (error) {
        throw explainFileError(error, folder)
      }
    },
    async *list(prefix) {
      const { tenant, path } = parseBlobPrefix(prefix)
      const parts = path.split('/')
      const place = [tenant, ...parts.slice(0, -1)]
      for await (const key of walk(folder, place, parts.at(-1) ?? '')) {
        const entry = await entryOf(fileOf(key), key, folder)
        if (entry !== null) yield entry
      }
    },
    async tenants() {
      const names = await listFolder(folder)
      return names
        .filter((item) => item.isDirectory() && !item.name.startsWith('.'))
        .map((item) => asId<TenantId>(item.name))
    },
    async removeRemains(before) {
      let removed = 0
      for (const { name } of await listFolder(join(folder, uploads))) {
        const path = join(folder, uploads, name)
        const found = await stat(path).catch(() => null)
        if (found === null || found.mtime >= before) continue
        await rm(path, { force: true })
        removed += 1
      }
      return removed
    },
  }
}

/** A delete beside us may take the empty folder away between the two calls. */
async function moveInto(path: string, target: string, root: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const made = await mkdir(dirname(target), { recursive: true, mode: 0o700 })
    try {
      await rename(path, target)
      if (made !== undefined)
        for (let at = dirname(dirname(target)); at.length >= root.length; at = dirname(at)) await syncFolder(at)
      await syncFolder(dirname(target))
      return
    } catch (error) {
      if (!isMissing(error) || attempt === 5) throw error
    }
  }
}

/** Some file systems cannot flush a folder and say so; they keep its entries in order without. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } catch (error) {
    if (!['EINVAL', 'EPERM', 'ENOTSUP'].includes(String((error as NodeJS.ErrnoException).code))) throw error
  } finally {
    await folder.close()
  }
}

/** Opens the file when the first byte is asked for: a body that nobody reads holds nothing. */
async function* readFile(
  path: string,
  { key, bytes }: BlobEntry,
  { start, end }: { readonly start: number; readonly end: number },
  folder: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  const corrupt = () => blobErrors['blob-corrupt'](`the blob ${key} was replaced or cut off while it was read`)
  const file = await open(path, 'r').catch((error) => {
    throw isMissing(error) ? corrupt() : explainFileError(error, folder)
  })
  try {
    if ((await file.stat()).size !== bytes) throw corrupt()
    for (let at = start; at < end; ) {
      signal?.throwIfAborted()
      const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(Math.min(readBytes, end - at)), { position: at })
      if (bytesRead === 0) throw corrupt()
      yield buffer.subarray(0, bytesRead)
      at += bytesRead
    }
  } finally {
    await file.close()
  }
}

async function entryOf(path: string, key: string, folder: string): Promise<BlobEntry | null> {
  try {
    const { size, mtime } = await stat(path)
    return { key, bytes: size, storedAt: mtime }
  } catch (error) {
    if (isMissing(error)) return null
    throw explainFileError(error, folder)
  }
}

async function listFolder(path: string) {
  try {
    return await readdir(path, { withFileTypes: true })
  } catch (error) {
    if (isMissing(error)) return []
    throw explainFileError(error, path)
  }
}

/** Keys under a place whose next segment begins with `start`, in the order of the whole keys. */
async function* walk(root: string, place: readonly string[], start: string): AsyncGenerator<string> {
  const items = (await listFolder(join(root, ...place)))
    .filter((item) => item.name.startsWith(start))
    .map((item) => ({
      name: item.name,
      sortsAs: item.isDirectory() ? `${item.name}/` : item.name.slice(0, -fileEnd.length),
      item,
    }))
    .sort((a, b) => (a.sortsAs < b.sortsAs ? -1 : 1))
  for (const { name, item } of items) {
    if (item.isDirectory()) yield* walk(root, [...place, name], '')
    else if (name.endsWith(fileEnd)) yield [...place, name.slice(0, -fileEnd.length)].join('/')
  }
}

/** Takes away folders that hold nothing any more, up to the root. */
async function removeEmpty(path: string, root: string): Promise<void> {
  for (let at = path; at.startsWith(root + sep); at = dirname(at)) {
    try {
      await rmdir(at)
    } catch (error) {
      if (['ENOTEMPTY', 'EEXIST', 'ENOENT'].includes(String((error as NodeJS.ErrnoException).code))) return
      throw error
    }
  }
}
