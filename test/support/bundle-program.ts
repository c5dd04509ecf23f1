import { createHash } from 'node:crypto'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { rolldown } from 'rolldown'

const root = fileURLToPath(new URL('../..', import.meta.url))
const cache = join(root, 'node_modules', '.cache', 'leanvibe-bundles')
/** A bundle of another state of the sources goes when no run has asked for it for so long, ms. */
const restMs = 3_600_000

/**
 * The program of these sources in few files, behind the real bin/leanvibe.js: reading 1,600 modules is a third of the
 * processor time of a short call. What it finds by its place (migrations, threads, programs that it starts) it finds
 * beside the sources. Made once for each state of them; resolves to the bin.
 */
export async function bundleProgram(): Promise<string> {
  const folder = join(cache, hashOfSources())
  if (fs.existsSync(folder)) fs.utimesSync(folder, new Date(), new Date())
  else await make(folder)
  return join(folder, 'bin', 'leanvibe.js')
}

async function make(folder: string): Promise<void> {
  fs.mkdirSync(cache, { recursive: true })
  for (const name of fs.readdirSync(cache)) {
    const other = join(cache, name)
    if (Date.now() - fs.statSync(other).mtimeMs > restMs) fs.rmSync(other, { recursive: true, force: true })
  }
  const made = fs.mkdtempSync(join(cache, 'new-'))
  const bundle = await rolldown({
    input: { cli: join(root, 'src', 'cli', 'cli.ts') },
    platform: 'node',
    // A thread of its own reads it, from the sources.
    external: [/^@electric-sql\/pglite/],
    logLevel: 'silent',
    plugins: [{ name: 'places', transform: (code, id) => ({ code: withPlaces(code, id), map: null }) }],
  })
  await bundle.write({ dir: join(made, 'dist', 'src', 'cli'), format: 'esm' })
  await bundle.close()
  fs.cpSync(join(root, 'bin'), join(made, 'bin'), { recursive: true })
  fs.cpSync(join(root, 'package.json'), join(made, 'package.json'))
  fs.symlinkSync(join(root, 'node_modules'), join(made, 'node_modules'))
  try {
    fs.renameSync(made, folder)
  } catch (error) {
    // Another run of the tests was faster.
    if (!fs.existsSync(folder)) throw error
    fs.rmSync(made, { recursive: true })
  }
}

/** Each module keeps the place that it has among the sources. */
function withPlaces(code: string, id: string): string {
  const places = { url: pathToFileURL(id).href, filename: id, dirname: join(id, '..') }
  return code.replace(/\bimport\.meta\.(url|filename|dirname)\b/g, (_, what: keyof typeof places) =>
    JSON.stringify(places[what]),
  )
}

function hashOfSources(): string {
  const hash = createHash('sha256').update(`${process.version} ${root}`)
  const add = (...path: string[]) => hash.update(`\0${path.join('/')}\0`).update(fs.readFileSync(join(root, ...path)))
  for (const name of ['package.json', 'package-lock.json']) add(name)
  for (const name of fs.readdirSync(join(root, 'bin')).sort()) add('bin', name)
  for (const name of fs.readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' }).sort()) {
    if (/\.(tsx?|json)$/.test(name) && !/\.(test|fixture)\.tsx?$/.test(name)) add('src', name)
  }
  return hash.digest('hex').slice(0, 20)
}
