// The long form of the chaos tests: `npm run chaos`, or `npm run chaos -- budgets-chaos` for the files whose names hold the words.
// `npm test` runs a short form of each. A seed that fails is printed with the command that replays it.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const words = process.argv.slice(2)
const child = spawn(
  process.execPath,
  [join(root, 'node_modules/vitest/vitest.mjs'), 'run', ...(words.length > 0 ? words : ['chaos'])],
  {
    cwd: root,
    env: { LEANVIBE_CHAOS: 'full', LEANVIBE_CHAOS_SEEDS: '200', ...process.env },
    stdio: 'inherit',
  },
)
child.on('exit', (code, signal) => {
  if (signal !== null) console.error(`chaos: vitest ended by ${signal}`)
  process.exitCode = code ?? 1
})
