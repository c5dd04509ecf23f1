import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { openSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { bin, documentsOf, runCli, scratchFolder } from './support/run-cli.ts'
import { testWhen } from './support/when.ts'

const scratch = scratchFolder('words')
afterAll(() => scratch.remove())
const cwd = scratch.path
const cli = (...args: string[]) => runCli(args, { cwd })

const project = `
pools:
  echo:
    command: [bash, -c, 'echo "$LEANVIBE_DEPTH: $0"', '{prompt}']
    agents: 2
`
const flow = `
name: pair
steps:
  first: { command: [bash, -c, 'echo said; echo "no luck" >&2; exit 3'] }
  second: { needs: first, command: [echo, more] }
`

beforeAll(async () => {
  await writeFile(join(cwd, 'leanvibe.yaml'), project)
  await writeFile(join(cwd, 'pair.yaml'), flow)
})

test('a failure is told once, with the reason; a step that is not there is no silent one', {
  timeout: 120_000,
}, async () => {
  const { code, stdout } = await cli('orchestrate', './pair.yaml')
  expect(code).toBe(1)
  expect(stdout).toMatch(/⊘ second {2}needs first, which failed/)
  const end = stdout.slice(stdout.indexOf('✖ pair failed'))
  expect(end.match(/exit code 3: no luck/g)).toHaveLength(1)
  const run = /run_[a-z0-9]+/.exec(end)![0]
  expect((await cli('runs', 'logs', run, '--step', 'first')).stdout).toMatch(/first │ said/)
  const none = await cli('runs', 'logs', run, '--step', 'third')
  expect(none.code).toBe(66)
  expect(none.stderr).toMatch(/has no step third; it has .*first.*\[step-not-in-run\]\nnext {2}/)
  expect((await cli('runs', 'logs', run, '--task', 'nope')).code).toBe(66)
})

test('a workflow that works on a repository is not started without one', async () => {
  for (const args of [['repo-checkup'], ['./checkup.yaml']]) {
    await writeFile(join(cwd, 'checkup.yaml'), "name: c\nsteps:\n  look: { command: [ls, '${{ repo.path }}'] }\n")
    const { code, stdout, stderr } = await cli('orchestrate', ...args)
    expect({ code, stdout }).toEqual({ code: 65, stdout: '' })
    expect(stderr).toMatch(/works on a repository and none is given.*\[no-repository\]\nnext {2}add --repo FOLDER/)
  }
  expect(documentsOf((await cli('runs', '--json')).stdout).every((run) => run.workflow === 'pair')).toBe(true)
})

test('several agents are all heard; those of former processes are only shown when asked for', async () => {
  const { code, stdout } = await cli('spawn', '--task', 'say $this', '--parallel', '2', '--depth', 'deep')
  expect(code).toBe(0)
  expect(stdout.match(/^ {2}deep: say \$this$/gm)).toHaveLength(2)
  const usual = await cli('agents')
  expect(usual.stdout).not.toContain('offline')
  expect(usual.stderr).toMatch(/\d+ agents of former processes; --all shows them/)
  expect((await cli('agents', '--all')).stdout).toContain('offline')
})

testWhen(process.platform === 'linux', 'only Linux has /dev/full')('output that is lost is a failure', async () => {
  const child = spawn(process.execPath, [bin, '--help'], { stdio: ['ignore', openSync('/dev/full', 'w'), 'pipe'] })
  let stderr = ''
  child.stderr!.on('data', (text) => {
    stderr += text
  })
  const [code] = await once(child, 'close')
  expect(code).toBe(69)
  expect(stderr).toMatch(/^error the output cannot be written: ENOSPC/)
})
