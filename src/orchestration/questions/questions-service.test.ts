import { expect, test } from 'vitest'
import { eachDatabase } from '../../../test/support/databases.ts'
import type { RunId, TaskId, TenantId } from '../../foundation/kernel/ids.ts'
import type { AskQuestion } from '../agents/ask-contract.ts'
import { QuestionsService } from './questions-service.ts'
import { listQuestions } from './questions-store.ts'

const tenant = 'default' as TenantId
const question: AskQuestion = {
  ...{
    tenant,
    runId: 'run_1' as RunId,
    taskId: 'tsk_1' as TaskId,
    step: 'fix',
    fence: 1,
    key: 'a',
    kind: 'permission',
  },
  message: 'May it run a command? make test',
  choices: [
    { id: 'yes', label: 'Yes', meaning: 'allow-once' },
    { id: 'no', label: 'No', meaning: 'reject-once' },
  ],
  ...{ freeText: false, defaultChoice: 'no', deadlineMs: 60_000, details: { command: 'make test' } },
}

eachDatabase('questions of agents', (use) => {
  const service = () => new QuestionsService({ database: use().db, pollMs: 20 })
  const list = (state?: string) =>
    use()
      .db.forTenant(tenant)
      .read((tx) =>
        listQuestions(tx, tenant, { state, run: undefined, before: null, limit: 50, now: use().db.clock.now() }),
      )
  const pending = async () => {
    await expect.poll(async () => (await list('pending')).length).toBe(1)
    return (await list('pending'))[0]!
  }
  const never = new AbortController().signal

  test('an answer reaches who asks, once, and is an event', async () => {
    const answer = service().ask(question, never)
    const { id } = await pending()
    // Another process answers.
    const other = service()
    await expect(other.answer(tenant, id, { choice: 'maybe', by: 'ann' })).rejects.toMatchObject({
      code: 'answer-invalid',
    })
    await expect(other.answer(tenant, id, { text: 'go', by: 'ann' })).rejects.toMatchObject({ code: 'answer-invalid' })
    expect(await other.answer(tenant, id, { choice: 'yes', by: 'ann' })).toMatchObject({
      state: 'answered',
      choice: 'yes',
    })
    expect(await answer).toEqual({ choice: 'yes', text: null, by: 'ann', expired: false })
    await expect(other.answer(tenant, id, { choice: 'no', by: 'bob' })).rejects.toMatchObject({
      code: 'question-closed',
    })
    const events = await use().owner<{ type: string }>(`select type from event_batches where subject_kind = 'question'`)
    expect(events.map(({ type }) => type).sort()).toEqual(['question.answered', 'question.pending'])
  })

  test('asked again by the same lease it is the same question; by the next lease another', async () => {
    const first = service().ask(question, never)
    const { id } = await pending()
    const again = service().ask(question, never)
    await service().answer(tenant, id, { choice: 'no', by: 'ann' })
    expect(await first).toEqual(await again)
    expect(await service().ask({ ...question, fence: 2, deadlineMs: 1 }, never)).toMatchObject({ expired: true })
    expect(await list()).toHaveLength(2)
  })

  test('nobody answers: the default, told as such', async () => {
    expect(await service().ask({ ...question, deadlineMs: 50 }, never)).toEqual({
      ...{ choice: 'no', text: null, by: 'deadline', expired: true },
    })
    expect(await list('expired')).toMatchObject([{ answeredBy: 'deadline' }])
  })

  test('who no longer waits withdraws it', async () => {
    const controller = new AbortController()
    const answer = service().ask(question, controller.signal)
    const { id } = await pending()
    controller.abort('the run was cancelled')
    await expect(answer).rejects.toBe('the run was cancelled')
    await expect(service().answer(tenant, id, { choice: 'yes', by: 'ann' })).rejects.toMatchObject({
      code: 'question-closed',
    })
    expect(await list('withdrawn')).toHaveLength(1)
  })

  test('is seen by its tenant alone', async () => {
    const answer = service().ask({ ...question, deadlineMs: 500 }, never)
    const { id } = await pending()
    await expect(service().answer('other' as TenantId, id, { choice: 'yes', by: 'eve' })).rejects.toMatchObject({
      code: 'question-not-found',
    })
    await answer
  })
})
