import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { readSpending, spendingFile } from './read-spending.ts'

let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spending-'))
})
afterEach(() => rm(folder, { recursive: true }))

const write = (text: string) => writeFile(spendingFile(folder), text)

test('what a program tells is taken, and nothing else of the file', async () => {
  expect(await readSpending(folder)).toBe(undefined)
  await write('{ "microUsd": 12, "model": "m", "inputTokens": 5, "note": "hello" }')
  expect(await readSpending(folder)).toEqual({ microUsd: 12, model: 'm', inputTokens: 5 })
})

test.each([
  '',
  '{',
  '[]',
  '{ "microUsd": -1 }',
  '{ "microUsd": 0.5 }',
  '{ "outputTokens": "many" }',
  'x'.repeat(70_000),
])('nonsense is no report: %#', async (text) => {
  await write(text)
  expect(await readSpending(folder)).toEqual({ problem: expect.any(String) })
})

test('a link is not followed', async () => {
  await writeFile(join(folder, 'elsewhere'), '{ "microUsd": 1 }')
  await symlink(join(folder, 'elsewhere'), spendingFile(folder))
  expect(await readSpending(folder)).toEqual({ problem: 'it cannot be read (ELOOP)' })
})
