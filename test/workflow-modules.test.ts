import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bin, documentsOf, runCli, scratchFolder, startCli } from './support/run-cli.ts'

const scratch = scratchFolder('modules')
afterAll(() => scratch.remove())
const cwd = scratch.path
const cli = (...args: string[]) => runCli(args, { cwd })

const typed = `
import { defineWorkflow } from 'leanvibe'
import { greeting } from './workflows/parts/greeting.ts'
console.log('printed while loading')
setInterval(() => {}, 1_000)
const name: string = 'typed'
export default defineWorkflow({
  name,
  description: 'Made by a program.',
  inputs: { who: { default: 'you' } },
  steps: { greet: { command: ['echo', greeting, '\${{ inputs.who }}'], outputs: { text: 'stdout' } } },
  outputs: { text: '\${{ steps.greet.outputs.text }}' },
})
`

beforeAll(async () => {
  await mkdir(join(cwd, 'workflows', 'parts'), { recursive: true })
  const files = {
    'leanvibe.yaml': '',
    'typed.ts': typed,
    'workflows/parts/greeting.ts': "export const greeting = 'hello' as const\n",
    'workflows/plain.mjs': "export default { name: 'plain', steps: { a: { command: ['true'] } } }\n",
    'workflows/both.ts': "export default { name: 'of-the-module', steps: { a: { command: ['true'] } } }\n",
    'workflows/both.yaml': 'name: of-the-yaml\nsteps:\n  a: { command: ["true"] }\n',
    'workflows/repo-checkup.js': "export default { name: 'own-checkup', steps: { a: { command: ['true'] } } }\n",
    'workflows/broken.ts': "throw new Error('no such luck')\nexport default 1\n",
    'workflows/helper.ts': 'export const unused: number = 1\nprocess.exit(3)\n',
  }
  for (const [file, text] of Object.entries(files)) await writeFile(join(cwd, file), text)
})

test('a module is run like a file in YAML; what it prints is no part of the answer', async () => {
  const { code, stdout, stderr } = await cli('orchestrate', './typed.ts', '--input', 'who=world', '--json')
  expect({ code, stderr }).toEqual({ code: 0, stderr: 'printed while loading\n' })
  expect(documentsOf(stdout).at(-1)).toMatchObject({ type: 'result', run: { outputs: { text: 'hello world' } } })
  expect((await cli('runs', '--json')).stdout).toContain('"workflow":"typed"')
})

test('modules of the project are known by name, after its files in YAML and before what comes along', async () => {
  const { stdout } = await cli('workflows', 'list', '--json')
  const known = new Map(documentsOf(stdout).map((item) => [item.name, item]))
  expect(known.get('plain')).toMatchObject({ origin: 'project', steps: 1 })
  expect(known.get('repo-checkup')).toMatchObject({ origin: 'project', steps: 1 })
  expect(known.get('broken')).toMatchObject({ steps: 0, description: expect.stringContaining('workflows validate') })
  expect(known.has('helper')).toBe(false)
  const nameOf = async (word: string) =>
    documentsOf((await cli('orchestrate', word, '--validate', '--json')).stdout).at(-1)?.name
  expect(await nameOf('both')).toBe('of-the-yaml')
  expect(await nameOf('plain')).toBe('plain')
  expect(await nameOf('repo-checkup')).toBe('own-checkup')
  expect((await cli('workflows', 'show', 'plain')).stdout).toMatch(/^plain \(project\)/)
  expect((await cli('workflows', 'show', 'typed.ts', '--source')).stdout).toMatch(/^name: typed$/m)
})

describe('a module that cannot be loaded', () => {
  const cases: readonly (readonly [what: string, text: string, code: string, message: RegExp])[] = [
    ['has no default export', 'export const x = 1', 'workflow-module-failed', /it has no default export/],
    ['exports no workflow', 'export default 3', 'workflow-module-failed', /its default export is a number/],
    ['throws', "throw new Error('no such luck')", 'workflow-module-failed', /no such luck\n +at .*case-2\.ts:1:/],
    ['does not parse', 'export default {', 'workflow-module-failed', /SyntaxError/],
    ['is no erasable TypeScript', 'enum A { b }\nexport default A', 'workflow-module-failed', /enum/],
    ['imports what is not there', "import './none.ts'", 'workflow-module-failed', /Cannot find module .*none\.ts/],
    ['ends the process', 'process.exit(7)', 'workflow-module-failed', /the process ended \(exit code 7\)/],
    [
      'defines nonsense',
      "import { defineWorkflow } from 'leanvibe'\nexport default defineWorkflow({ name: 'x', steps: { a: { needs: ['b'] } } } as never)",
      'workflow-invalid',
      /^case-7\.ts: steps\.a\.needs\[0\]: unknown step b/m,
    ],
  ]

  test.each(cases.map((each, n) => [each[0], n] as const))('because it %s is refused with the reason', async (_, n) => {
    const [, text, code, message] = cases[n]!
    await writeFile(join(cwd, `case-${n}.ts`), text)
    const { code: exit, stderr } = await cli('orchestrate', `case-${n}.ts`, '--validate', '--json')
    if (code === 'workflow-invalid') {
      const plain = await cli('workflows', 'validate', `case-${n}.ts`)
      expect(plain.code).toBe(65)
      expect(plain.stdout).toMatch(/✖ case-7\.ts: steps\.a\.needs\[0\]: unknown step b/)
      const run = await cli('orchestrate', `case-${n}.ts`)
      expect({ exit, run: run.code }).toEqual({ exit: 65, run: 65 })
      expect(run.stderr).toMatch(/case-7\.ts: steps\.a\.needs\[0\]: unknown step b .*\[workflow-invalid\]/)
      return
    }
    expect(exit).toBe(65)
    const [{ error }] = documentsOf(stderr) as [{ error: { code: string; message: string; next: string } }]
    expect(error).toMatchObject({ code, next: expect.stringContaining('export default') })
    expect(error.message).toMatch(message)
    expect(error.message).not.toContain(bin.replace(/bin\/.*/, 'src/'))
  })

  test('because it never ends is left at Ctrl-C', async () => {
    await writeFile(join(cwd, 'endless.mjs'), "console.log('begun')\nfor (;;);\n")
    const { child, ended, stderr } = startCli(['orchestrate', 'endless.mjs', '--validate'], { cwd })
    child.stderr!.on('data', () => stderr().includes('begun') && child.kill('SIGINT'))
    expect((await ended).code).toBe(130)
  })
})

test('the example in TypeScript can run', async () => {
  const example = bin.replace(/bin\/leanvibe\.js$/, 'examples/todo-list.ts')
  expect((await cli('workflows', 'validate', example)).stdout).toMatch(/✔ todo-list can run: 2 steps/)
})
