import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { makeRepository, rawGit } from '../src/foundation/platform/git/git.fixture.ts'
import { documentsOf, runCli, scratchFolder } from '../test/support/run-cli.ts'

// What agents do in workflows that do without them, too. The agent is a real program, whose wits are a table.

const scratch = scratchFolder('with-agents')
const repository = join(scratch.path, 'repository')
afterAll(() => scratch.remove())

const agent = `import { mkdirSync, writeFileSync } from 'node:fs'
const who = process.env.LEANVIBE_PERSONA
if (who === 'optimizer') writeFileSync('work.js', 'let x = 1\\n')
if (who === 'documenter') {
  mkdirSync('docs')
  writeFileSync('docs/tutorial.md', '# Begin\\n\\n\`\`\`sh\\nnode work.js\\n\`\`\`\\n\\n\`\`\`sh\\nnode gone.js\\n\`\`\`\\n')
}
console.log('I am the ' + who + '.')
`

beforeAll(() => {
  makeRepository(repository, {
    'package.json': JSON.stringify({ name: 'work', scripts: { test: 'node --check work.js' } }),
    'work.js': 'let x = 0\nfor (let i = 0; i < 8e8; i++) x += i % 3\n',
  })
  writeFileSync(join(scratch.path, 'agent.mjs'), agent)
  const pool = { command: [process.execPath, join(scratch.path, 'agent.mjs')], agents: 2 }
  writeFileSync(join(scratch.path, 'leanvibe.yaml'), JSON.stringify({ agents: 3, pools: { any: pool } }))
})

interface End {
  readonly state: string
  readonly outputs: { readonly summary: readonly string[]; readonly commit: string | null }
}

async function orchestrate(name: string, ...inputs: string[]): Promise<End> {
  const args = inputs.flatMap((input) => ['--input', input])
  const { stdout, stderr } = await runCli(['orchestrate', name, '--repo', repository, '--json', ...args], {
    ...{ cwd: scratch.path, timeoutMs: 110_000 },
  })
  const last = documentsOf(stdout).at(-1) as { run: End } | undefined
  expect(last?.run.state, stderr + stdout.slice(-1_500)).toBe('succeeded')
  return last!.run
}

test('an optimizer makes one change: it is measured, tested, and put out, not merged', {
  timeout: 120_000,
}, async () => {
  const before = rawGit(repository, 'rev-parse', 'main')
  const { outputs } = await orchestrate('performance-optimization', 'runs=2', 'command=["node","work.js"]')
  expect(rawGit(repository, 'show', `${outputs.commit}:work.js`)).toBe('let x = 1')
  expect(rawGit(repository, 'rev-parse', 'main')).toBe(before)
})

test('a tutorial is written, tried out, validated, and told of where it does not work', {
  timeout: 120_000,
}, async () => {
  const { outputs } = await orchestrate('documentation-tutorial', 'try=true')
  expect(outputs.summary.join('\n')).toContain('The tutorial stops working at line 8')
  expect(rawGit(repository, 'show', '--stat', outputs.commit!)).toContain('docs/tutorial.md')
})
