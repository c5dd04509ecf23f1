import { cp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { temporaryFolder } from '../../../../../test/support/postgres-server.ts'
import { prepareImage, unpackImage } from './image.ts'

let folder: string

beforeEach(async () => {
  folder = await temporaryFolder()
})

afterEach(() => rm(folder, { recursive: true, force: true }))

test('an image is made once for each state of the migrations', async () => {
  const migrations = join(folder, 'migrations')
  const cacheFolder = join(folder, 'cache')
  await cp(join(import.meta.dirname, '..', 'test-migrations'), migrations, { recursive: true })
  const first = await prepareImage({ migrations, cacheFolder })
  const bytes = await readFile(first)
  expect(await prepareImage({ migrations, cacheFolder })).toBe(first)
  expect((await readFile(first)).equals(bytes)).toBe(true)
  const old = new Date(Date.now() - 8 * 86_400_000)
  await utimes(first, old, old)
  await writeFile(join(migrations, '0002_more.sql'), '-- risk: low: x\ncreate table more (id int);\n')
  const second = await prepareImage({ migrations, cacheFolder })
  expect(second).not.toBe(first)
  expect((await readdir(cacheFolder)).map((name) => join(cacheFolder, name))).toEqual([second])
  await unpackImage(second, join(folder, 'data'))
  expect(await readdir(join(folder, 'data'))).toEqual(expect.arrayContaining(['PG_VERSION', 'base', 'pg_wal']))
  // Cut off in the middle, an image makes no data folder at all.
  await expect(unpackImage(gunzipSync(await readFile(second)), join(folder, 'broken'))).rejects.toThrow()
  expect((await readdir(folder)).sort()).toEqual(['cache', 'data', 'migrations'])
})
