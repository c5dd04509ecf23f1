import { createHash, randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { gunzip, gzip } from 'node:zlib'
import { migrationsHash, packageFolder, readMigrations } from '../migration-files.ts'
import { migrate } from '../migrator.ts'
import { leastBufferMemory } from './buffer-memory.ts'
import { startPgliteServer } from './pglite-server.ts'
import { unpackTar } from './unpack-tar.ts'

export interface PrepareImageOptions {
  /** The folder of the migrations. Default: that of the package. */
  readonly migrations?: string | undefined
  /** Where to keep the image. Default: `node_modules/.cache/leanvibe` of a checkout. */
  readonly cacheFolder?: string
}

/** Raise it when images are made in another way. */
const layout = 3

/** The folder for images in a checkout; an installed package brings its image along in `dist`. */
const cacheOfCheckout = () => join(packageFolder(), 'node_modules', '.cache', 'leanvibe')

/**
 * Makes an image: an empty, fully migrated database as a gzipped tar, from which new ones start in a fraction of the
 * time. Made once for each state of the migrations and version of PGlite; returns its path.
 */
export async function prepareImage(options: PrepareImageOptions = {}): Promise<string> {
  const folder = options.cacheFolder ?? cacheOfCheckout()
  const path = join(folder, await imageName(options.migrations))
  if (!existsSync(path)) await save(await makeImage(options.migrations), path)
  return path
}

/** The image for these migrations: packaged, prepared, or made now, and kept where this is a checkout. */
export async function obtainImage(migrations?: string): Promise<string | Buffer> {
  const found = await findImage(migrations)
  if (found) return found
  const image = await makeImage(migrations)
  // Where the cache cannot be written, the next new data folder takes its time again.
  if (isCheckout()) await save(image, join(cacheOfCheckout(), await imageName(migrations))).catch(() => undefined)
  return image
}

/** Takes some seconds. */
async function makeImage(migrations?: string): Promise<Buffer> {
  const server = await startPgliteServer({ dataDir: undefined, image: undefined, bufferMiB: leastBufferMemory })
  try {
    await migrate(server.client, migrations)
    // Nobody creates databases here, and what is never vacuumed would age until PostgreSQL refuses to go on.
    await server.client.query(`update pg_database set datistemplate = false`)
    for (const name of ['template0', 'template1']) await server.client.query(`drop database ${name}`)
    await server.client.query('vacuum (freeze, analyze)')
    await server.client.query('checkpoint')
    return await promisify(gzip)(await server.dump())
  } finally {
    await server.close()
  }
}

/** The image for these migrations if one was packaged or prepared. */
export async function findImage(migrations?: string): Promise<string | undefined> {
  const name = await imageName(migrations)
  return [join(packageFolder(), 'dist', name), join(cacheOfCheckout(), name)].find((path) => existsSync(path))
}

/** Makes a data folder from an image (its path or bytes); it appears whole or not at all. */
export async function unpackImage(image: string | Buffer, dataDir: string): Promise<void> {
  const partial = `${dataDir}.${randomUUID()}`
  try {
    const bytes = typeof image === 'string' ? await readFile(image) : image
    await unpackTar(await promisify(gunzip)(bytes), partial)
    await rename(partial, dataDir)
  } catch (error) {
    await rm(partial, { recursive: true, force: true })
    throw error
  }
}

/** Appears whole or not at all; images of former migrations go after a week. */
async function save(image: Buffer, path: string): Promise<void> {
  const folder = dirname(path)
  await mkdir(folder, { recursive: true })
  const partial = `${path}.${randomUUID()}`
  await writeFile(partial, image)
  await rename(partial, path)
  for (const name of await readdir(folder)) {
    const old = join(folder, name)
    if (name.startsWith('pglite-') && Date.now() - (await stat(old)).mtimeMs > keepMs) await rm(old, { force: true })
  }
}

const keepMs = 7 * 86_400_000

function isCheckout(): boolean {
  return existsSync(join(packageFolder(), 'src'))
}

async function imageName(migrations: string | undefined): Promise<string> {
  const hash = createHash('sha256')
  hash.update(`${layout} ${pgliteVersion()} ${migrationsHash(await readMigrations(migrations))}`)
  return `pglite-${hash.digest('hex').slice(0, 20)}.tar.gz`
}

function pgliteVersion(): string {
  const main = createRequire(import.meta.url).resolve('@electric-sql/pglite')
  let folder = dirname(main)
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder)
  return createRequire(import.meta.url)(join(folder, 'package.json')).version
}
