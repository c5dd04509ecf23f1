import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { documentsOf, runCli, scratchFolder } from './support/run-cli.ts'

const scratch = scratchFolder('work')
writeFileSync(join(scratch.path, 'leanvibe.yaml'), '')
afterAll(() => scratch.remove())
const work = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
  runCli(['work', ...args], { cwd: scratch.path, env })

test.each([
  [['--join', 'https://leanvibe.example.org'], 'join-needs-key', 65, /ask for a key/],
  [['--join', 'http://key:hunter2@127.0.0.1:7000'], 'usage', 2, /its key is given with --key/],
  [['--join', 'http://127.0.0.1:1', '--key', 'hunter2'], 'server-unreachable', 69, /no answer from/],
  [['--join', '.leanvibe'], 'join-needs-postgres', 65, /embedded database cannot be joined/],
  [['--join', 'mysql://me:hunter2@127.0.0.1/db'], 'join-needs-postgres', 65, /nor PostgreSQL/],
  [[], 'join-needs-postgres', 65, /no --join, no LEANVIBE_URL and no DATABASE_URL/],
  [['--join', 'postgres://a:hunter2@h/d', '--join', 'postgres://b:hunter2@h/d'], 'usage', 2, /one database/],
  [['--slots', '0'], 'usage', 2, /whole number/],
  [['--join', 'postgres://me:hunter2@127.0.0.1:1/none'], 'database-unreachable', 69, /connect/],
] as const)('work %j is refused as %s', async (args, code, exit, message) => {
  const end = await work([...args, '--json'])
  expect(end).toMatchObject({ code: exit, stdout: '' })
  const { error } = documentsOf(end.stderr)[0] as { error: { code: string; message: string; next: string } }
  expect(error).toMatchObject({ code, message: expect.stringMatching(message), next: expect.stringMatching(/\w/) })
  expect(end.stderr).not.toContain('hunter2')
})

test('says what to do in place of an embedded database', async () => {
  const { code, stderr } = await work([])
  expect(code).toBe(65)
  expect(stderr).toMatch(/\[join-needs-postgres\]\nnext {2}start PostgreSQL, run `leanvibe serve` with DATABASE_URL/)
})

test('completion knows the command and its options', async () => {
  const complete = async (...words: string[]) =>
    (await runCli(['complete', '--', ...words], { cwd: scratch.path })).stdout
  expect(await complete('wor')).toMatch(/^work\b/m)
  expect(await complete('work', '--')).toMatch(/--join[\s\S]*--slots/)
})
