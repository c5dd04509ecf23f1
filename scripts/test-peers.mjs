// Runs the tests that drive the real agents and servers of test/peers; as under CI, the suite installs them first.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const { status, error } = spawnSync('npx', ['vitest', 'run', 'test/peers', ...process.argv.slice(2)], {
  cwd: fileURLToPath(new URL('..', import.meta.url)),
  env: { ...process.env, CI: process.env.CI || 'true' },
  stdio: 'inherit',
})
if (error !== undefined) throw error
process.exitCode = status ?? 1
