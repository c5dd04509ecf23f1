import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterAll, expect, test, vi } from 'vitest'
import { main } from '../../src/cli/main.ts'
import { readEnv } from '../../src/foundation/platform/config/env.ts'
import { makeRepository } from '../../src/foundation/platform/git/git.fixture.ts'
import { documentsOf, runCli, scratchFolder } from '../support/run-cli.ts'

vi.setConfig({ testTimeout: 180_000 })
const scratch = scratchFolder('review')
afterAll(() => scratch.remove())

const workflow = `name: reviewed
steps:
  fix:
    workspace: worktree
    command: [sh, -c, 'echo fixed > a.txt; echo done']
  take:
    needs: fix
    approval: { message: 'Take it?' }
  ask:
    needs: fix
    approval: { message: 'Which colour?', choices: [blue, red] }
outputs: { colour: '\${{ steps.ask.outputs.choice }}' }
`

/** What a person at a terminal sees and types: an answer to each prompt, as it comes. */
async function atTerminal(cwd: string, args: readonly string[], answer: (seen: string) => string): Promise<string> {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()]
  Object.assign(stdin, { isTTY: true })
  Object.assign(stdout, { isTTY: true })
  let seen = ''
  let told = 0
  stderr.resume()
  stdout.setEncoding('utf8').on('data', (text: string) => {
    seen += text
    const prompts = seen.match(/(later\]|empty\)|red): /g)?.length ?? 0
    for (; told < prompts; told++) stdin.write(`${answer(seen)}\n`)
  })
  const env = readEnv({ PATH: process.env.PATH, HOME: cwd, NO_COLOR: '1' })
  const signals = { on: () => {}, off: () => {} } as never
  const code = await main(args, { stdin, stdout, stderr, signals, env, cwd })
  expect(code, seen).toBe(0)
  return seen
}

test('review shows a run, takes the answers of a person, and a kill while a bundle is kept costs nothing', async () => {
  const cwd = join(scratch.path, 'project')
  const repository = join(cwd, 'repository')
  mkdirSync(cwd, { recursive: true })
  makeRepository(repository, { 'a.txt': 'broken\n' })
  writeFileSync(join(cwd, 'reviewed.yaml'), workflow)
  const env = { LEANVIBE_FAILPOINTS: 'proof.keep.before=kill' }
  // It dies when the first bundle is about to be kept; the next start makes it.
  const killed = await runCli(['orchestrate', 'reviewed.yaml', '--repo', repository], { cwd, env })
  expect(killed.code).toBeNull()
  const [run] = documentsOf((await runCli(['runs', 'list', '--json'], { cwd })).stdout) as { id: string }[]
  const id = run!.id

  let looked = false
  const seen = await atTerminal(cwd, ['review', id], (screen) => {
    if (screen.endsWith('red: ')) return 'red'
    if (screen.endsWith('empty): ')) return 'as ever'
    if (screen.lastIndexOf('Which colour?') < screen.lastIndexOf('Take it?')) return 'later'
    if (looked) return 'a'
    looked = true
    return 'd'
  })
  expect(seen).toContain('1 file, +1 -1')
  expect(seen).toContain('+fixed')
  const approved = await runCli(['review', id, '--approve', '--comment', 'fine'], { cwd })
  expect(approved.code, approved.stderr).toBe(0)
  const ended = await runCli(['orchestrate', '--resume', id, '--json'], { cwd })
  expect(ended.code, ended.stderr).toBe(0)
  expect(ended.stdout).toContain('"colour":"red"')

  const task = await runCli(['review', id, '--task', 'fix', '--json'], { cwd })
  expect(documentsOf(task.stdout)).toMatchObject([
    {
      artifact: expect.stringMatching(/^art_proof_/),
      proof: {
        task: { step: 'fix', state: 'succeeded' },
        commands: [{ output: 'done\n' }],
        approvals: [
          { step: 'ask', choice: 'red', comment: 'as ever' },
          { step: 'take', comment: 'fine' },
        ],
      },
    },
  ])
})

test('review of a run shows what the runs that it called have left', async () => {
  const cwd = join(scratch.path, 'caller')
  const repository = join(cwd, 'repository')
  mkdirSync(join(cwd, 'workflows'), { recursive: true })
  makeRepository(repository, { 'a.txt': 'broken\n' })
  writeFileSync(join(cwd, 'leanvibe.yaml'), 'agents: 2\n')
  const inner = "name: inner\nsteps: { fix: { workspace: worktree, command: [sh, -c, 'echo fixed > a.txt'] } }\n"
  writeFileSync(join(cwd, 'workflows', 'inner.yaml'), inner)
  writeFileSync(join(cwd, 'workflows', 'outer.yaml'), 'name: outer\nsteps: { part: { workflow: { name: inner } } }\n')
  const ran = await runCli(['orchestrate', 'outer', '--repo', repository, '--json'], { cwd })
  expect(ran.code, ran.stderr).toBe(0)
  const { run } = documentsOf(ran.stdout).at(-1) as { run: { id: string } }
  const all = await runCli(['review', run.id], { cwd })
  expect(all.stdout).toContain('1 file, +1 -1')
  const one = await runCli(['review', run.id, '--task', 'fix'], { cwd })
  expect(one.stdout).toContain('+fixed')
})
