import { describe, expect, test } from 'vitest'
import { eachDatabase } from '../../../test/support/databases.ts'
import { steerClock } from '../../../test/support/steered-clock.ts'
import type { RunId, TaskId, TenantId } from '../../foundation/kernel/ids.ts'
import type { LoggedEvent } from '../../foundation/runtime/event-log.ts'
import { startTimers } from '../../foundation/runtime/timers.ts'
import type { AskQuestion, AskRules } from '../agents/ask-contract.ts'
import { experienceOf, insertSamples } from '../approvals/experience-store.ts'
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
      .read((tx) => listQuestions(tx, tenant, { state, before: null, limit: 50, now: use().db.clock.now() }))
  const pending = async () => {
    await expect.poll(async () => (await list('pending')).length).toBe(1)
    return (await list('pending'))[0]!
  }
  const never = new AbortController().signal

  test('what a step says goes before its pool; as many as it asks for must allow it, one who refuses is enough', async () => {
    const step = { who: ['ann', 'bob', 'cara'], count: 2, deadlineMs: 3_600_000 }
    const strict = new QuestionsService({ database: use().db, pollMs: 20, rulesOf: async () => step })
    const pool: AskRules = { who: ['zoe'], escalate: [{ afterMs: 60_000, to: ['dan'] }], atDeadline: 'reject' }
    const always = { id: 'always', label: 'Always', meaning: 'allow-always' } as const
    const wide = { ...question, choices: [...question.choices, always], rules: pool }
    const asked = strict.ask(wide, never)
    const { id, deadlineAt, createdAt, ...shown } = await pending()
    expect(shown).toMatchObject({ who: step.who, count: 2, votes: [], default: 'reject', escalate: pool.escalate })
    expect(Date.parse(deadlineAt) - Date.parse(createdAt)).toBe(3_600_000)
    await expect(strict.answer(tenant, id, { choice: 'yes', by: 'zoe' })).rejects.toMatchObject({
      code: 'question-not-yours',
    })
    expect(await strict.answer(tenant, id, { choice: 'always', by: 'ann' })).toMatchObject({
      state: 'pending',
      votes: [{ by: 'ann' }],
    })
    // The same person twice is one person.
    expect(await strict.answer(tenant, id, { choice: 'yes', by: 'ann' })).toMatchObject({ state: 'pending' })
    expect(await strict.answer(tenant, id, { choice: 'always', by: 'bob' })).toMatchObject({
      state: 'answered',
      answeredBy: 'ann, bob',
    })
    // Not all of them allow it for good.
    expect(await asked).toMatchObject({ choice: 'yes', by: 'ann, bob' })
    const told = await use().owner<{ type: string }>(
      `select type from events where subject_kind = 'question' and subject_id = '${id}' order by subject_rev`,
    )
    expect(told.map(({ type }) => type)).toEqual([
      'question.pending',
      'question.voted',
      'question.voted',
      'question.answered',
    ])

    const again = strict.ask({ ...wide, key: 'b' }, never)
    const second = await pending()
    await strict.answer(tenant, second.id, { choice: 'yes', by: 'ann' })
    await strict.answer(tenant, second.id, { choice: 'no', by: 'cara' })
    expect(await again).toMatchObject({ choice: 'no', by: 'cara' })
  })

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

  test('whoever asked is gone: the deadline is kept all the same, by whichever process is there', async () => {
    const gone = new AbortController()
    const asked = service().ask({ ...question, deadlineMs: 1 }, gone.signal)
    // The process that asked does nothing any more; nothing of it decides.
    await asked
    await use().owner(`update questions set state = 'pending', answered_by = null, choice = null`)
    await use().owner(`insert into timers (tenant_id, id, kind, subject_id, due_at)
      select tenant_id, 'question:' || id, 'question-deadline', id, deadline_at from questions`)
    const handlers = { 'question-deadline': service().deadlines }
    const fire = () => startTimers(use().db, { handlers, onError: (error) => expect(error).toBeUndefined() }).stop()
    await Promise.all([fire(), fire()])
    expect(await list('expired')).toMatchObject([{ choice: 'no', answeredBy: 'deadline' }])
    expect(await use().owner('select id from timers')).toEqual([])
  })

  test('the attempt that asked has ended: nobody waits, and the question of the next stays open', async () => {
    const first = service().ask(question, never)
    const { id, createdAt } = await pending()
    const next = service().ask({ ...question, fence: 2, deadlineMs: 400 }, never)
    await expect.poll(async () => (await list('pending')).length).toBe(2)
    const at = new Date(createdAt)
    const ended = { tenant, type: 'task.lost', subject: { kind: 'task', id: 'tsk_1', rev: 3 }, at } as LoggedEvent
    await use()
      .db.asSystem('test')
      .write((tx) => service().handle(tx, [ended], use().db.clock.now()))
    expect((await list('withdrawn')).map((each) => each.id)).toEqual([id])
    expect(await first).toMatchObject({ choice: null, expired: true })
    expect(await next).toMatchObject({ choice: 'no', expired: true })
  })

  test('an answer, its deadline and its withdrawal at once: one of them counts, as one event', async () => {
    const deadline = (id: string) =>
      use()
        .db.asSystem('test')
        .write((tx) => {
          const timer = { tenant, id: '', kind: 'question-deadline', subjectId: id, dueAt: new Date() }
          return service().deadlines(tx, [timer], new Date(use().db.clock.now().getTime() + 120_000))
        })
    for (let round = 1; round <= 5; round++) {
      const stop = new AbortController()
      const asks = service().ask({ ...question, fence: 100 + round }, stop.signal)
      const { id } = await pending()
      const results = await Promise.allSettled([
        service().answer(tenant, id, { choice: 'yes', by: 'ann' }),
        service().answer(tenant, id, { choice: 'no', by: 'bob' }),
        deadline(id),
        (async () => stop.abort('enough'))(),
        asks,
      ])
      const [ann, bob] = results.map(({ status }) => status === 'fulfilled')
      expect(ann && bob).toBe(false)
      const events = await use().owner<{ type: string }>(
        `select type from event_batches where subject_ids @> array['${id}'] and type <> 'question.pending'`,
      )
      const state = (await list()).find((each) => each.id === id)!.state
      expect(events).toEqual([{ type: `question.${state}` }])
      expect(ann || bob).toBe(state === 'answered')
    }
  })

  describe('rules of a pool', () => {
    const knowing = (database = use().db) =>
      new QuestionsService({
        ...{ database, pollMs: 20 },
        namesOf: async (_tx, _tenant, id) => (id === 'ann' ? { groups: ['leads'] } : { roles: ['admin'] }),
      })
    const rules = (more: Partial<AskRules>): AskRules => ({ who: [], escalate: [], atDeadline: null, ...more })

    test('say who may answer, also as a group', async () => {
      const answer = knowing().ask({ ...question, rules: rules({ who: ['group:leads'] }) }, never)
      const { id } = await pending()
      await expect(knowing().answer(tenant, id, { choice: 'yes', by: 'bob' })).rejects.toMatchObject({
        code: 'question-not-yours',
        message: expect.stringContaining('group:leads'),
      })
      await knowing().answer(tenant, id, { choice: 'yes', by: 'ann' })
      expect(await answer).toMatchObject({ choice: 'yes', by: 'ann' })
    })

    test('ask others as well, after a time and then at the deadline, which begins again', async () => {
      const escalate = [
        { afterMs: 100_000, to: ['role:admin'] },
        { afterMs: null, to: ['user:eve'] },
      ]
      const wanted = rules({ who: ['ann'], escalate, atDeadline: 'escalate' })
      const { database, advance } = steerClock(use().db)
      const answer = knowing(database).ask({ ...question, deadlineMs: 1_000_000, rules: wanted }, never)
      const { id } = await pending()
      const who = async () => (await list('pending'))[0]?.who
      expect(await who()).toEqual(['ann'])
      advance(100_000)
      await expect.poll(who).toEqual(['ann', 'role:admin'])
      advance(900_000)
      await expect.poll(who).toEqual(['ann', 'role:admin', 'user:eve'])
      advance(1_000_000)
      expect(await answer).toMatchObject({ choice: 'no', by: 'deadline', expired: true })
      const events = await use().owner<{ type: string }>(
        `select type from events where subject_id = '${id}' order by subject_rev`,
      )
      expect(events.map(({ type }) => type)).toEqual([
        ...['question.pending', 'question.escalated', 'question.escalated', 'question.expired'],
      ])
    })

    test('whoever was asked as well may answer', async () => {
      const wanted = rules({ who: ['ann'], escalate: [{ afterMs: 1, to: ['role:admin'] }] })
      const answer = knowing().ask({ ...question, rules: wanted }, never)
      await expect.poll(async () => (await list('pending'))[0]?.level).toBe(1)
      const { id } = await pending()
      await knowing().answer(tenant, id, { choice: 'yes', by: 'bob' })
      expect(await answer).toMatchObject({ choice: 'yes', by: 'bob' })
    })

    test('and of replicas that all look at the timers, one asks them, and one closes it', async () => {
      const wanted = rules({ who: ['ann'], escalate: [{ afterMs: 100_000, to: ['eve'] }], atDeadline: 'approve' })
      const { database, advance } = steerClock(use().db)
      const handlers = { 'question-deadline': knowing(database).deadlines }
      const errors: unknown[] = []
      const loops = [1, 2, 3].map(() => startTimers(database, { handlers, onError: (error) => errors.push(error) }))
      const answer = knowing(database).ask({ ...question, deadlineMs: 1_000_000, rules: wanted }, never)
      await pending()
      advance(100_000)
      await expect.poll(async () => (await list('pending'))[0]?.level).toBe(1)
      advance(900_000)
      expect(await answer).toMatchObject({ choice: 'yes', by: 'deadline' })
      const [{ id } = { id: '' }] = await list()
      await Promise.all(loops.map((loop) => loop.stop()))
      expect(errors).toEqual([])
      const events = await use().owner<{ rev: number; type: string }>(
        `select subject_rev as rev, type from events where subject_id = '${id}' order by 1`,
      )
      expect(events).toEqual([
        { rev: 1, type: 'question.pending' },
        { rev: 2, type: 'question.escalated' },
        { rev: 3, type: 'question.expired' },
      ])
    })
  })

  const sure = { ...question, kind: 'question', defaultChoice: 'no', confidence: 0.8 } as const

  test('an agent that is sure needs nobody, but for what it may do; and not where much is at stake', async () => {
    expect(await service().ask(sure, never)).toMatchObject({ choice: 'no', by: 'policy', expired: false })
    const risky = { ...sure, risk: 0.8, fence: 2, deadlineMs: 1 }
    expect(await service().ask(risky, never)).toMatchObject({ by: 'deadline' })
    expect(await service().ask({ ...risky, risk: 0.7, fence: 3 }, never)).toMatchObject({ by: 'policy' })
    const permission = { ...sure, kind: 'permission', confidence: 1, fence: 4, deadlineMs: 1 } as const
    expect(await service().ask(permission, never)).toMatchObject({ by: 'deadline' })
  })

  test('what people answered before is learned by kind of agent and step', async () => {
    const learner = () =>
      new QuestionsService({
        ...{ database: use().db, pollMs: 20, learning: { experienceOf, insertSamples } },
        kindOfWork: async () => 'acp/feature-dev/fix',
      })
    const unsure = { ...sure, confidence: 0.5 }
    for (let fence = 1; fence <= 5; fence++) {
      const asks = learner().ask({ ...unsure, fence }, never)
      const { id } = await pending()
      await learner().answer(tenant, id, { choice: 'no', by: 'ann' })
      await asks
    }
    expect(await learner().ask({ ...unsure, fence: 6 }, never)).toMatchObject({ choice: 'no', by: 'policy' })
    const other = new QuestionsService({
      ...{ database: use().db, pollMs: 20, learning: { experienceOf, insertSamples } },
      kindOfWork: async () => 'acp/feature-dev/other',
    })
    expect(await other.ask({ ...unsure, fence: 7, deadlineMs: 1 }, never)).toMatchObject({ by: 'deadline' })
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
