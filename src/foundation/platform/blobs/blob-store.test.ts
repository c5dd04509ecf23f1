import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { openTestDatabase, type TestDatabase } from '../../../../test/support/databases.ts'
import type { BlobStore } from './blob-store.ts'
import { collect, inRandomChunks, listAll } from './blobs.fixture.ts'
import { createFolderBlobs } from './folder/folder-blobs.ts'
import { createPostgresBlobs } from './postgres/postgres-blobs.ts'
import { createS3Blobs } from './s3/s3-blobs.ts'
import { bucket, credentials, leastPartBytes, region, startScriptedS3 } from './s3/s3-server.fixture.ts'

interface OpenStore {
  readonly store: BlobStore
  clear(): Promise<void>
  close(): Promise<void>
}

const stores: Readonly<Record<string, () => Promise<OpenStore>>> = {
  async folder() {
    const folder = await mkdtemp(join(tmpdir(), 'leanvibe-blobs-'))
    const clear = () => rm(folder, { recursive: true, force: true })
    return { store: createFolderBlobs({ folder }), clear, close: clear }
  },
  'tables of pglite': () => openTables('pglite'),
  'tables of postgres': () => openTables('postgres'),
  async 's3, as a scripted server speaks it'() {
    const server = await startScriptedS3()
    const store = createS3Blobs({
      bucket,
      prefix: 'some/prefix/',
      region,
      endpoint: server.url,
      pathStyle: true,
      credentials,
      partBytes: leastPartBytes,
    })
    return {
      store,
      async clear() {
        server.objects.clear()
        // Another user of the bucket must never be seen.
        server.objects.set('default/foreign', { body: Buffer.from('foreign'), at: new Date() })
        server.objects.set('some/prefix', { body: Buffer.from('foreign'), at: new Date() })
      },
      async close() {
        expect([...server.uploads.keys()]).toEqual([])
        await server.close()
      },
    }
  },
}

async function openTables(kind: TestDatabase['kind']): Promise<OpenStore> {
  const database = await openTestDatabase(kind)
  return {
    store: createPostgresBlobs({ database: database.db }),
    clear: () => database.reset(),
    close: () => database.close(),
  }
}

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
/** Sizes on both sides of every border of the adapters: piece, batch of pieces, part. */
const sizes = [0, 1, 262_143, 262_144, 262_145, 524_288, 1_048_576, 1_048_577, 3_000_000]
const key = 'default/artifacts/blob_1'

describe.each(Object.entries(stores))('blobs in %s', (_name, openStore) => {
  let open: OpenStore
  let store: BlobStore
  beforeAll(async () => {
    open = await openStore()
    store = open.store
  })
  beforeEach(() => open.clear())
  afterAll(() => open.close())

  const read = async (name = key) => collect((await store.get(name)).body)
  const list = async (prefix: string) => (await listAll(store.list(prefix))).map((entry) => entry.key)

  test.each(sizes)('%i bytes come back as they were put, from a stream of any chunks', async (size) => {
    const content = randomBytes(size)
    expect(await store.put(key, inRandomChunks(content, size))).toEqual({ bytes: size, sha256: sha256(content) })
    const { bytes, body } = await store.get(key)
    expect(bytes).toBe(size)
    expect((await collect(body)).equals(content)).toBe(true)
    expect(await store.find(key)).toMatchObject({ key, bytes: size })
  })

  test('bytes in one piece too, and a later put takes the place of an earlier one, larger or smaller', async () => {
    for (const size of [10, 600_000, 3, 0]) {
      const content = randomBytes(size)
      expect(await store.put(key, content)).toEqual({ bytes: size, sha256: sha256(content) })
      expect((await read()).equals(content)).toBe(true)
    }
    expect(await list('default/')).toEqual([key])
  })

  test('any range is the slice of the whole', async () => {
    const content = randomBytes(1_400_000)
    await store.put(key, content)
    const border = fc.oneof(fc.nat(content.length - 1), fc.constantFrom(0, 262_143, 262_144, 524_288, 1_399_999))
    await fc.assert(
      fc.asyncProperty(border, fc.oneof(border, fc.constant(undefined), fc.constant(9_999_999)), async (a, b) => {
        const start = Math.min(a, b ?? a)
        const end = b === undefined ? undefined : Math.max(a, b)
        const { bytes, body } = await store.get(key, { range: end === undefined ? { start } : { start, end } })
        expect(bytes).toBe(content.length)
        expect((await collect(body)).equals(content.subarray(start, end))).toBe(true)
      }),
      { numRuns: 25 },
    )
  })

  test('a range outside of the content is refused', async () => {
    await store.put(key, randomBytes(100))
    for (const range of [{ start: 100 }, { start: -1 }, { start: 5, end: 4 }, { start: 0.5 }]) {
      await expect(store.get(key, { range })).rejects.toMatchObject({ code: 'blob-range-invalid', kind: 'input' })
    }
  })

  test('what is not there is not found, and can be deleted', async () => {
    await expect(store.get(key)).rejects.toMatchObject({ code: 'blob-not-found', kind: 'not-found' })
    expect(await store.find(key)).toBeNull()
    await store.delete(key)
    await store.put(key, randomBytes(300_000))
    await store.delete(key)
    expect(await store.find(key)).toBeNull()
    await expect(store.get(key)).rejects.toMatchObject({ code: 'blob-not-found' })
    expect(await list('default/')).toEqual([])
  })

  test.each([
    [
      'a source that fails',
      10_000_000,
      async function* () {
        yield randomBytes(700_000)
        yield randomBytes(700_000)
        throw new Error('the source broke')
      },
      { message: 'the source broke' },
    ],
    [
      'content over the limit',
      1_000_000,
      async function* () {
        for (let n = 0; n < 5; n++) yield randomBytes(300_000)
      },
      { code: 'blob-too-large', kind: 'limit' },
    ],
  ])('%s leaves what was there, and nothing of itself', async (_what, maxBytes, source, error) => {
    await store.put(key, Buffer.from('before'))
    await expect(store.put(key, source(), { maxBytes })).rejects.toMatchObject(error)
    await expect(store.put('default/other', source(), { maxBytes })).rejects.toMatchObject(error)
    expect((await read()).toString()).toBe('before')
    expect(await list('default/')).toEqual([key])
    expect(await store.removeRemains(new Date(Date.now() + 60_000))).toBe(0)
  })

  test('an abort ends a put between two chunks', async () => {
    const stop = new AbortController()
    const source = async function* () {
      for (;;) {
        yield randomBytes(300_000)
        stop.abort(new Error('given up'))
      }
    }
    await expect(store.put(key, source(), { signal: stop.signal })).rejects.toThrow('given up')
    expect(await store.find(key)).toBeNull()
  })

  test('two that put the same key at once: one of them is there, whole', async () => {
    const contents = Array.from({ length: 4 }, (_, n) => Buffer.alloc(700_000 + n, n))
    await Promise.all(contents.map((content) => store.put(key, inRandomChunks(content, 5))))
    const found = await read()
    expect(contents.some((content) => content.equals(found))).toBe(true)
  })

  test('lists by prefix in the order of keys, over several pages, with sizes and times', async () => {
    const segment = fc.constantFrom('a', 'b', 'a-b', 'a_b', 'a.b', 'A', '0', 'ab', 'aa')
    const path = fc.array(segment, { minLength: 1, maxLength: 3 }).map((segments) => segments.join('/'))
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(path, { maxLength: 20 }),
        fc.constantFrom('', 'a', 'a/', 'a/b', 'ab', 'zz'),
        async (paths, prefix) => {
          await open.clear()
          for (const name of paths) await store.put(`default/${name}`, Buffer.from(name))
          await store.put('elsewhere/a', Buffer.from('x'))
          const wanted = paths.map((name) => `default/${name}`).filter((name) => name.startsWith(`default/${prefix}`))
          const entries = await listAll(store.list(`default/${prefix}`))
          expect(entries.map((entry) => entry.key)).toEqual(wanted.sort())
          for (const { key: name, bytes, storedAt } of entries) {
            expect(bytes).toBe(name.length - 'default/'.length)
            expect(Math.abs(storedAt.getTime() - Date.now())).toBeLessThan(60_000)
          }
        },
      ),
      { numRuns: 12 },
    )
  })

  test('names the tenants that have blobs', async () => {
    expect(await store.tenants()).toEqual([])
    for (const tenant of ['t-2', 't1', 'default']) await store.put(`${tenant}/x/y`, randomBytes(10))
    expect([...(await store.tenants())].sort()).toEqual(['default', 't-2', 't1'])
    await store.delete('t1/x/y')
    expect([...(await store.tenants())].sort()).toEqual(['default', 't-2'])
  })

  test.each([
    'nothing',
    '/etc/passwd',
    'default/',
    'default//a',
    'default/../../etc/passwd',
    'default/.hidden',
    '../x/y',
    'default/a/..',
    'default/a b',
    'default/a\0b',
    'default/a\\b',
    'default/ä',
    'default/a~',
    'default/a?b',
    `default/${'x'.repeat(600)}`,
    '.uploads/x',
  ])('the key %j is refused everywhere', async (bad) => {
    const error = { code: 'blob-key-invalid' }
    await expect(store.put(bad, randomBytes(1))).rejects.toMatchObject(error)
    await expect(store.get(bad)).rejects.toMatchObject(error)
    await expect(store.find(bad)).rejects.toMatchObject(error)
    await expect(store.delete(bad)).rejects.toMatchObject(error)
  })

  test.each(['', 'default', '../', 'default/../', '/'])('the prefix %j is refused', async (bad) => {
    await expect(listAll(store.list(bad))).rejects.toMatchObject({ code: 'blob-key-invalid' })
  })

  test('a body that is left early holds nothing up', async () => {
    await store.put(key, randomBytes(3_000_000))
    for (let n = 0; n < 20; n++) {
      const { body } = await store.get(key)
      for await (const chunk of body) {
        expect(chunk.length).toBeGreaterThan(0)
        break
      }
      await store.get(key)
    }
    await store.delete(key)
    expect(await store.find(key)).toBeNull()
  })
})
