// The one local gate: everything that must hold before a change is pushed. `npm run verify -- --skip test` leaves steps out.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const root = fileURLToPath(new URL('..', import.meta.url))
const bin = (path) => join(root, 'node_modules', path)
const { values } = parseArgs({ options: { skip: { type: 'string', multiple: true, default: [] } } })

/** In the order of their cost. Each is a program with its arguments, run by this Node. */
const steps = [
  { name: 'typecheck', args: [bin('typescript/bin/tsc'), '--noEmit', '-p', 'tsconfig.json'] },
  ...(existsSync(join(root, 'bench/node_modules'))
    ? [{ name: 'typecheck bench', args: [bin('typescript/bin/tsc'), '--noEmit', '-p', 'bench/tsconfig.json'] }]
    : []),
  { name: 'lint', args: [bin('@biomejs/biome/bin/biome'), 'check', '--error-on-warnings', '.'] },
  { name: 'knip', args: [bin('knip/bin/knip.js')] },
  { name: 'generated', args: ['scripts/generate.ts', '--check'] },
  { name: 'licences', args: ['scripts/licences.ts'] },
  { name: 'test', args: ['scripts/test.mjs'], env: { CI: 'true' } },
]

const outcomes = steps.map(({ name, args, env }) => {
  if (values.skip.includes(name)) return { name, ok: true, words: 'left out' }
  console.log(`\n== ${name}`)
  const started = performance.now()
  const { status } = spawnSync(process.execPath, args, {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  return { name, ok: status === 0, words: status === 0 ? `ok (${seconds} s)` : `FAILED (${seconds} s)` }
})

console.log('')
for (const { name, words } of outcomes) console.log(`${name.padEnd(16)} ${words}`)
process.exitCode = outcomes.every(({ ok }) => ok) ? 0 : 1
