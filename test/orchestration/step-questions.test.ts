import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createClient } from '../../src/client/index.ts'
import { answerQuestion, createKeyEndpoint, listQuestions, runEvents, showRun, startRun } from '../../src/contract.ts'
import { startApi, type TestApi } from '../support/api.ts'
import { openTestDatabase, type TestDatabase } from '../support/databases.ts'
import { scratchFolder } from '../support/run-cli.ts'

const scratch = scratchFolder('step-questions')
let use: TestDatabase
let api: TestApi

beforeAll(async () => {
  const module = join(scratch.path, 'asker.mjs')
  writeFileSync(
    module,
    `export default async (task, context) => {
  const choices = [{ id: 'now', label: 'Now' }, { id: 'later', label: 'Later' }]
  return (await context.ask({ message: 'When?', choices, defaultChoice: 'later' })).choice
}\n`,
  )
  const pools = { asker: { kind: 'function', function: { module }, ask: '10m', questions: { who: ['nobody'] } } }
  use = await openTestDatabase('pglite')
  api = await startApi(use.db, { work: true, yaml: JSON.stringify({ pools }) })
}, 120_000)
afterAll(async () => {
  await api?.close()
  await use?.close()
  await scratch.remove()
})

test('a step says who answers its agent, how many must, and until when, whatever its pool says', async () => {
  const person = async (name: string) => {
    const { key } = await api.owner.call(createKeyEndpoint, { body: { name, role: 'operator' } })
    return createClient({ url: api.server.localUrl, token: key })
  }
  const [ann, bob] = [await person('ann'), await person('bob')]
  const text = `name: asks
steps:
  ask:
    agent: { prompt: ask, questions: { who: ['role:operator'], count: 2, deadline: 1h, default: reject } }
    pool: asker
    outputs: { answer: stdout }
outputs: { answer: '\${{ steps.ask.outputs.answer }}' }
`
  const { id } = await api.owner.call(startRun, { body: { source: { text, fileName: 'asks.yaml' } } })
  const pending = async () => (await ann.call(listQuestions, { query: { run: id, state: 'pending' } })).items
  await expect.poll(async () => (await pending()).length, { timeout: 30_000 }).toBe(1)
  const [question] = await pending()
  expect(question).toMatchObject({ who: ['role:operator'], count: 2, default: 'reject', votes: [] })
  expect(Date.parse(question!.deadlineAt) - Date.parse(question!.createdAt)).toBe(3_600_000)
  const answer = (by: typeof ann, choice: string) =>
    by.call(answerQuestion, { params: { id: question!.id }, body: { choice } })
  expect(await answer(ann, 'now')).toMatchObject({ state: 'pending', votes: [{ choice: 'now' }] })
  expect(await answer(bob, 'later')).toMatchObject({ state: 'pending' })
  expect(await answer(bob, 'now')).toMatchObject({ state: 'answered', choice: 'now' })
  const run = async () => (await api.owner.call(showRun, { params: { id } })).run
  await expect.poll(async () => (await run()).endedAt, { timeout: 30_000 }).not.toBeNull()
  expect(await run()).toMatchObject({ state: 'succeeded', outputs: { answer: 'now' } })
  const { items } = await api.owner.call(runEvents, { params: { id }, query: {} })
  expect(items.map(({ type }) => type).filter((type) => type.startsWith('question.'))).toEqual([
    ...['question.pending', 'question.voted', 'question.voted', 'question.answered'],
  ])
})
