import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test, vi } from 'vitest'
import { runCli, scratchFolder } from '../support/run-cli.ts'

vi.setConfig({ testTimeout: 120_000 })
const scratch = scratchFolder('added')
afterAll(() => scratch.remove())
const cwd = scratch.path
const cli = (...args: string[]) => runCli(args, { cwd })

test('what is said to do next after an agent was added can be done; the doctor says how a missing one comes to be there', async () => {
  writeFileSync(join(cwd, 'leanvibe.yaml'), 'agents: 1\n')
  const added = await cli('agents', 'add', 'command', '--name', 'shout', '--', 'tr', 'a-z', 'A-Z')
  const next = /leanvibe (spawn --pool shout --task) "\.\.\."/.exec(added.stdout)
  expect(next, added.stdout).not.toBeNull()
  const ran = await cli(...next![1]!.split(' '), 'hello')
  expect(ran.stdout).toContain('HELLO')

  expect((await cli('agents', 'add', 'gpt')).stderr).toMatch(/http, a2a or llm .*container or kubernetes/)
  await cli('agents', 'add', 'qwen')
  await cli('agents', 'add', 'acp', '--name', 'mine', '--', 'no-such-agent')
  const { stdout } = await cli('doctor')
  expect(stdout).toMatch(/qwen is not on the PATH\s+next npm install --global @qwen-code\/qwen-code/)
  expect(stdout).toMatch(/no-such-agent is not on the PATH\s+next install no-such-agent, or say in `command`/)
})

test('an answer without one is asked for', async () => {
  const { code, stderr } = await cli('approvals', 'answer', 'apr_1')
  expect(code).toBe(65)
  expect(stderr).toMatch(/what is the answer to apr_1\?[\s\S]*--choice[\s\S]*--text/)
})
