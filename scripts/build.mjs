// Makes dist/, what the npm package runs: JavaScript and declarations of src/ and workflows/, and the files they read.
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
    if (!entry.isFile() || /\.(ts|tsx)$/.test(path) || /(^|\/)test-/.test(path)) continue
    cpSync(file, join(out, path))
  }
}

rmSync(out, { recursive: true, force: true })
if (compile()) {
  for (const folder of ['src', 'workflows']) copyData(folder)
} else {
  console.error('build: the compiler refused the sources; nothing was built')
  process.exitCode = 1
}
