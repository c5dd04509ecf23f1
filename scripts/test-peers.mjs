// Installs the real agents and servers of test/peers where they are not there, and runs the tests that drive them.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = fileURLToPath(new URL('../test/peers', import.meta.url))

function run(command, args, cwd) {
  const { status, error } = spawnSync(command, args, { cwd, stdio: 'inherit' })
  if (error !== undefined) throw error
  if (status !== 0) process.exit(status ?? 1)
}

if (!existsSync(`${folder}/node_modules/.bin/gemini`)) run('npm', ['ci', '--no-audit', '--no-fund'], folder)
run('npx', ['vitest', 'run', 'test/peers', ...process.argv.slice(2)], root)
