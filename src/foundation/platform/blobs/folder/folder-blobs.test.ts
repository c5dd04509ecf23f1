import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { appendFile, chmod, mkdtemp, readdir, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { testWhen } from '../../../../../test/support/when.ts'
import { collect } from '../blobs.fixture.ts'
import { explainFileError } from './file-errors.ts'
import { createFolderBlobs } from './folder-blobs.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'leanvibe-blobs-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const key = 'default/artifacts/one'
const fileOf = (name = key) => `${join(folder, name)}~`

test('a reader sees the former content until the new one is whole, and files are for their owner alone', async () => {
  const store = createFolderBlobs({ folder })
  await store.put(key, Buffer.from('before'))
  const seen: string[] = []
  await store.put(
    key,
    (async function* () {
      yield randomBytes(10)
      seen.push((await collect((await store.get(key)).body)).toString())
      expect(await readdir(join(folder, '.uploads'))).toHaveLength(1)
      yield randomBytes(10)
    })(),
  )
  expect(seen).toEqual(['before'])
  expect(await readdir(join(folder, '.uploads'))).toEqual([])
  expect((await stat(fileOf())).mode & 0o777).toBe(0o600)
  expect((await stat(join(folder, 'default'))).mode & 0o777).toBe(0o700)
})

test('a blob may have the name of a folder of others', async () => {
  const store = createFolderBlobs({ folder })
  for (const name of ['default/a/b', 'default/a', 'default/a/b/c']) await store.put(name, Buffer.from(name))
  for (const name of ['default/a/b', 'default/a', 'default/a/b/c']) {
    expect((await collect((await store.get(name)).body)).toString()).toBe(name)
  }
})

test('folders that became empty are taken away, the root is kept, and puts beside deletes succeed', async () => {
  const store = createFolderBlobs({ folder })
  await store.put('default/a/b/c/d', randomBytes(1))
  await store.delete('default/a/b/c/d')
  expect(existsSync(join(folder, 'default'))).toBe(false)
  expect(existsSync(folder)).toBe(true)
  const names = Array.from({ length: 40 }, (_, n) => `default/x/y/${n}`)
  await Promise.all(
    names.map(async (name) => {
      await store.put(name, randomBytes(1))
      await store.delete(name)
    }),
  )
  expect(existsSync(join(folder, 'default'))).toBe(false)
})

test('content that was cut off, replaced or lost while it is read is an error, not a short answer', async () => {
  const store = createFolderBlobs({ folder })
  await store.put(key, randomBytes(600_000))
  const cut = await store.get(key)
  await truncate(fileOf(), 300_000)
  await expect(collect(cut.body)).rejects.toMatchObject({ code: 'blob-corrupt' })
  const grown = await store.get(key)
  await appendFile(fileOf(), 'x')
  await expect(collect(grown.body)).rejects.toMatchObject({ code: 'blob-corrupt' })
  const lost = await store.get(key)
  await rm(fileOf())
  await expect(collect(lost.body)).rejects.toMatchObject({ code: 'blob-corrupt' })
})

test('a place that is no folder is told as such, with the name', async () => {
  const file = join(folder, 'a-file')
  await writeFile(file, '')
  await expect(createFolderBlobs({ folder: file }).put(key, randomBytes(1))).rejects.toMatchObject({
    code: 'blob-store-unavailable',
    message: expect.stringContaining(file),
  })
})

testWhen(process.getuid?.() !== 0, 'root may write everywhere')(
  'a folder that may not be written is told as such',
  async () => {
    await chmod(folder, 0o500)
    await expect(createFolderBlobs({ folder }).put(key, randomBytes(1))).rejects.toMatchObject({
      code: 'blob-store-unavailable',
    })
    await chmod(folder, 0o700)
  },
)

testWhen(existsSync('/dev/full'), 'there is no /dev/full')(
  'a full disk is told as such, other failures by their own words',
  async () => {
    const full = await writeFile('/dev/full', 'x').catch((error) => error)
    expect(explainFileError(full, folder)).toMatchObject({
      code: 'blob-store-full',
      kind: 'unavailable',
      retry: 'later',
    })
    const other = await writeFile(join(folder, 'no', 'folder'), 'x').catch((error) => error)
    expect(explainFileError(other, folder)).toMatchObject({ code: 'blob-store-unavailable' })
    const foreign = new Error('of the source')
    expect(explainFileError(foreign, folder)).toBe(foreign)
  },
)

test('uploads that broke off long ago are removed, those under way stay', async () => {
  const store = createFolderBlobs({ folder })
  await store.put(key, randomBytes(1))
  await writeFile(join(folder, '.uploads', 'old'), 'x')
  await writeFile(join(folder, '.uploads', 'new'), 'x')
  const yesterday = new Date(Date.now() - 86_400_000)
  await utimes(join(folder, '.uploads', 'old'), yesterday, yesterday)
  expect(await store.removeRemains(new Date(Date.now() - 3_600_000))).toBe(1)
  expect(await readdir(join(folder, '.uploads'))).toEqual(['new'])
  expect(await store.find(key)).not.toBeNull()
})
