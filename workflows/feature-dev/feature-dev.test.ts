import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { afterAll, expect, test, vi } from 'vitest'
import { makeRepository, rawGit } from '../../src/foundation/platform/git/git.fixture.ts'
import { documentsOf, runCli, scratchFolder, startCli } from '../../test/support/run-cli.ts'

const scratch = scratchFolder('feature')
afterAll(() => scratch.remove())
const agent = resolve(import.meta.dirname, 'scripted-agent.fixture.mjs')

const files = {
  'package.json': `${JSON.stringify({ name: 'sums', private: true, scripts: { test: 'node test.js' } })}\n`,
  'test.js': "for (const file of require('fs').readdirSync('.')) if (file.endsWith('.test.js')) require(`./${file}`)\n",
  'list.txt': '',
}

function project(name: string, pools: object | null) {
  const cwd = join(scratch.path, name)
  const repository = join(cwd, 'repository')
  mkdirSync(cwd)
  makeRepository(repository, files)
  writeFileSync(join(cwd, 'leanvibe.yaml'), JSON.stringify({ agents: 4, ...(pools === null ? {} : { pools }) }))
  return { cwd, repository, heard: join(cwd, 'heard') }
}

test('plan, parallel parts, a gate and a reviewer that hand back, approval, merge queue with a conflict', {
  timeout: 180_000,
}, async () => {
  const { cwd, repository, heard } = project('whole', null)
  const command = [process.execPath, agent, heard, '{model}']
  const pool = {
    command,
    agents: 3,
    capabilities: ['code', 'review'],
    tiers: { standard: 'usual', strong: 'large', strongest: 'largest' },
  }
  writeFileSync(join(cwd, 'leanvibe.yaml'), JSON.stringify({ agents: 4, pools: { coder: pool } }))
  const out = join(cwd, 'out')
  const run = startCli(
    [
      'orchestrate',
      'feature-dev',
      '--repo',
      repository,
      '--input',
      'task=Sums for ${{ secrets.X }}',
      '--depth',
      'deep',
      '--json',
      '--out',
      out,
    ],
    { cwd, timeoutMs: 170_000 },
  )
  let ended = false
  const end = run.ended.finally(() => {
    ended = true
  })
  await vi.waitFor(
    () => {
      if (!ended && !run.stdout().includes('"approval.pending"')) throw new Error('nobody was asked yet')
    },
    { timeout: 150_000, interval: 100 },
  )
  const pending = ended
    ? []
    : (documentsOf((await runCli(['approvals', 'list', '--json'], { cwd })).stdout) as { id: string }[])
  if (!ended) {
    expect(pending[0]).toMatchObject({
      message: expect.stringContaining('Merge 2 part(s) of "Sums for ${{ secrets.X }}" into main?'),
    })
    expect(rawGit(repository, 'ls-tree', '--name-only', 'main').split('\n')).not.toContain('add.js')
    const approved = await runCli(['approvals', 'approve', pending[0]!.id, '--comment', 'fine'], { cwd })
    expect(approved.code, approved.stderr).toBe(0)
  }
  const { code, stdout, stderr } = await end
  expect(code, stderr + stdout.slice(-3_000)).toBe(0)

  // Both parts are on the branch, corrected, and what each wrote into the same file is there.
  const show = (file: string) => rawGit(repository, 'show', `main:${file}`)
  expect(show('add.js')).toBe('module.exports = (a, b) => a + b')
  expect(show('mul.md')).toBe('Use mul(a, b).')
  expect(show('list.txt').split('\n').sort()).toEqual(['add', 'mul'])
  expect(rawGit(repository, 'status', '--porcelain')).toBe('')

  const said = readFileSync(heard, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, string>)
  const asked = (persona: string) => said.filter((each) => each.persona === persona)
  // The depth is never lost: not in the runs that are called, nor in those that repeat them.
  expect(new Set(said.map(({ depth }) => depth))).toEqual(new Set(['deep']))
  expect(new Set(asked('backend').map(({ model }) => model))).toEqual(new Set(['large']))
  expect(asked('planner')[0]!.prompt).toContain('Sums for ${{ secrets.X }}')
  // Each part once, and once more: the one for its checks, the other for its reviewers.
  expect(asked('backend')).toHaveLength(4)
  const back = asked('backend')
    .map(({ prompt }) => prompt!)
    .filter((prompt) => prompt.includes('is handed back'))
  expect(back.find((prompt) => prompt.includes('Write add'))).toMatch(
    /- tests: npm run test: exit code 1[\s\S]*add is wrong/,
  )
  expect(back.find((prompt) => prompt.includes('Write mul'))).toMatch(/The reviewer asks for changes:\s+mul\.js:1/)
  // Two reviewers at this depth, for three pieces of work that passed their checks.
  expect(asked('reviewer')).toHaveLength(3)
  expect(asked('validator')).toHaveLength(3)
  expect(asked('debugger')).toHaveLength(1)

  const { run: last } = documentsOf(stdout).at(-1) as { run: { outputs: { summary: string[]; merged: string[] } } }
  expect(last.outputs.summary.join('\n')).toMatch(
    /2 parts merged into main[\s\S]*2 hand-backs until all was accepted; depth deep, 2 reviewers/,
  )
  const report = JSON.parse(readFileSync(join(out, 'report.json'), 'utf8')) as { rounds: number[] }
  expect(report.rounds).toEqual([2, 2])
})

test('without agents it says what to do before anything else', async () => {
  const { cwd, repository } = project('alone', null)
  const { code, stdout, stderr } = await runCli(
    ['orchestrate', 'feature-dev', '--repo', repository, '--input', 'task=x'],
    { cwd },
  )
  expect(code).toBe(1)
  expect(stdout + stderr).toMatch(
    /no pool of agents takes tasks in words \(feature-no-agent\); next: run `leanvibe doctor`[^\n]*leanvibe agents add claude/,
  )
})

/** Kinds may be there once: two changes that pass alone need not pass together. */
const kinds = `const fs = require('fs')
const all = fs.readdirSync('.').filter((name) => name.endsWith('.kind')).map((name) => fs.readFileSync(name, 'utf8'))
if (new Set(all).size !== all.length) { console.error('two of a kind'); process.exit(1) }
`
const corrector = `const prompt = require('fs').readFileSync(0, 'utf8')
for (const part of ['these do not pass', 'two of a kind', 'Add the kind two']) if (!prompt.includes(part)) process.exit(3)
if (!require('fs').existsSync('one.kind')) process.exit(4)
require('fs').writeFileSync('two.kind', prompt.includes('The task') ? 'green' : 'red')
console.log('it is green now')
`

test('a merge whose tests fail on top of others is handed back with what they printed, and comes in corrected', {
  timeout: 120_000,
}, async () => {
  const cwd = join(scratch.path, 'refused')
  const repository = join(cwd, 'repository')
  mkdirSync(cwd)
  const first = makeRepository(repository, { 'package.json': files['package.json'], 'test.js': kinds })
  const add = (name: string) => {
    writeFileSync(join(repository, name), 'red')
    rawGit(repository, 'add', name)
    rawGit(repository, 'commit', '--quiet', `--message=${name}`)
    return rawGit(repository, 'rev-parse', 'HEAD')
  }
  const work = add('two.kind')
  rawGit(repository, 'reset', '--quiet', '--hard', first)
  add('one.kind')
  writeFileSync(join(cwd, 'corrector.cjs'), corrector)
  const pool = { command: [process.execPath, join(cwd, 'corrector.cjs')], capabilities: ['code'] }
  writeFileSync(join(cwd, 'leanvibe.yaml'), JSON.stringify({ agents: 2, pools: { coder: pool } }))
  const inputs = [`commit=${work}`, 'task=Add the kind two.', 'into=main'].flatMap((each) => ['--input', each])
  const { code, stdout, stderr } = await runCli(
    ['orchestrate', 'feature-deliver', '--repo', repository, '--json', ...inputs],
    { cwd, timeoutMs: 110_000 },
  )
  expect(code, stderr + stdout.slice(-3_000)).toBe(0)
  expect(documentsOf(stdout).at(-1)).toMatchObject({ run: { outputs: { tries: 2, why: 'refused' } } })
  expect(rawGit(repository, 'show', 'main:two.kind')).toBe('green')
  // What did not pass is no commit of the branch.
  expect(rawGit(repository, 'rev-list', '--count', 'main')).toBe('3')
})
