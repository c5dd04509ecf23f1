// Makes dist/, what the npm package runs: JavaScript and declarations of src/ and workflows/, the files they read, and
// the image of an empty database, so that the first data folder of a user takes no longer than the next.
// `npm pack` calls it. Arguments: [--out FOLDER]
import { spawnSync } from 'node:child_process'
import { cpSync, readdirSync, rmSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const root = fileURLToPath(new URL('..', import.meta.url))
const { values } = parseArgs({ options: { out: { type: 'string', default: 'dist' } } })
const out = resolve(root, values.out)

function compile() {
  const tsc = join(root, 'node_modules/typescript/bin/tsc')
  const { status } = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json', '--outDir', out], {
    cwd: root,
    stdio: 'inherit',
  })
  return status === 0
}

/** Everything beside the programs that they find by its place: YAML, SQL, templates. */
function copyData(folder) {
  for (const entry of readdirSync(join(root, folder), { recursive: true, withFileTypes: true })) {
    const file = join(entry.parentPath, entry.name)
    const path = relative(root, file)
    if (!entry.isFile() || /\.(ts|tsx)$/.test(path) || /(^|\/)test-|\.(test|fixture)\./.test(path)) continue
    cpSync(file, join(out, path))
  }
}

rmSync(out, { recursive: true, force: true })
function prepareImage() {
  const { status } = spawnSync(process.execPath, [join(root, 'scripts/prepare-image.ts'), '--out', out], {
    cwd: root,
    stdio: 'inherit',
  })
  return status === 0
}

function fail(why) {
  console.error(`build: ${why}`)
  process.exitCode = 1
}

if (!compile()) fail('the compiler refused the sources; nothing was built')
else {
  for (const folder of ['src', 'workflows']) copyData(folder)
  if (!prepareImage()) fail('the image of an empty database could not be made')
}
