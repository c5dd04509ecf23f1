import { expect, test } from 'vitest'
import { createSpending } from '../../src/app/spending.ts'
import type { LoggedEvent } from '../../src/foundation/runtime/event-log.ts'
import { endOfAttempts } from '../../src/orchestration/budgets/attempt-ends.ts'
import { setBudgetSchema } from '../../src/orchestration/budgets/budgets-contract.ts'
import { Spender } from '../../src/orchestration/budgets/spender.ts'
import { eachDatabase } from '../support/databases.ts'
import { checkLedger } from '../support/ledger.ts'
import { TestPlatform, tenant } from '../support/platform.ts'

const one = 'name: one\nsteps:\n  do: { command: [do] }\n'

eachDatabase('budgets of people', (use) => {
  function open() {
    const platform = new TestPlatform(use())
    const { dispatch } = platform.parts
    const onError = (error: unknown) => platform.errors.push(error)
    const spending = createSpending({ database: platform.database, dispatch, prices: [], onCommit: () => {}, onError })
    const set = (wish: object) => spending.budgets.set(tenant, setBudgetSchema.parse(wish))
    return { platform, spending, set, budgets: spending.budgets }
  }

  test('are set in the units of people, and every change is an event', async () => {
    const { set, budgets } = open()
    const day = await set({
      scope: 'tenant',
      unit: 'micro-usd',
      window: 'day',
      hardLimit: 50_000_000,
      softLimit: 40_000_000,
    })
    expect(day).toMatchObject({
      id: 'tenant:default:micro-usd:day',
      hardLimit: 50_000_000,
      left: 50_000_000,
      window: 'day',
    })
    expect(Date.parse(day.windowEnd!) - Date.parse(day.windowStart!)).toBe(86_400_000)
    const cpu = await set({ scope: 'team', scopeId: 'core', unit: 'cpu-seconds', hardLimit: 2.5 })
    expect(cpu).toMatchObject({ hardLimit: 2.5, left: 2.5, unit: 'cpu-seconds' })
    expect(await use().owner('select unit, hard_limit::int from budgets where scope = $1', ['team'])).toEqual([
      { unit: 'cpu-ms', hard_limit: 2_500 },
    ])
    expect((await set({ scope: 'tenant', unit: 'micro-usd', window: 'day', hardLimit: null })).left).toBe(null)
    expect(await budgets.show(tenant, day.id)).toMatchObject({ hardLimit: null, reservations: 0, windows: [] })
    expect(await use().owner(`select type from events where subject_kind = 'budget'`)).toHaveLength(3)
  })

  test('that contradict themselves are refused', async () => {
    const { set, budgets } = open()
    await expect(set({ scope: 'team', unit: 'tokens', hardLimit: 1 })).rejects.toMatchObject({ code: 'budget-invalid' })
    await expect(set({ scope: 'tenant', unit: 'tokens', hardLimit: 1, softLimit: 2 })).rejects.toMatchObject({
      code: 'budget-invalid',
    })
    await expect(set({ scope: 'tenant', scopeId: 'another', unit: 'tokens' })).rejects.toMatchObject({
      code: 'budget-invalid',
    })
    expect(() => setBudgetSchema.parse({ scope: 'tenant', unit: 'tokens', window: 'fortnight' })).toThrow(
      'expected total',
    )
    await expect(budgets.show(tenant, 'nothing')).rejects.toMatchObject({ code: 'budget-not-found' })
  })

  test('with the window `run` give each run its own, also when it is started from a workflow', async () => {
    const { platform, set, budgets } = open()
    await set({ scope: 'tenant', unit: 'runs', window: 'run', hardLimit: 1 })
    const worker = await platform.register()
    const two = 'name: two\nsteps:\n  a: { command: [a] }\n  b: { command: [b] }\n'
    const [first, second] = [await platform.start(two), await platform.start(two)]
    const held = await worker.take()
    expect(held.map((lease) => lease.runId).sort()).toEqual([first.id, second.id].sort())
    const id = `run:${first.id}:runs:of:tenant:default:runs:run`
    expect(await budgets.show(tenant, id)).toMatchObject({ held: 1, hardLimit: 1, waiting: { tasks: 1 } })
    // Raised while one holds: who waits is woken at once.
    await set({ scope: 'tenant', unit: 'runs', window: 'run', hardLimit: 5 })
    expect((await budgets.show(tenant, id)).hardLimit).toBe(5)
  })

  test('bind tasks of the team that the label names', async () => {
    const { platform, set } = open()
    await set({ scope: 'team', scopeId: 'core', unit: 'runs', hardLimit: 1 })
    const worker = await platform.register()
    const start = (labels: Record<string, string>) =>
      platform.parts.runs.start(tenant, {
        ...{
          what: { text: one, fileName: 'one.yaml' },
          inputs: {},
          repo: null,
          priority: null,
          parallel: null,
          labels,
        },
      })
    await start({ team: 'core' })
    const second = await start({ team: 'core' })
    await start({ team: 'other' })
    expect(await worker.take()).toHaveLength(2)
    expect((await platform.tasks(second.id))[0]).toMatchObject({ state: 'waiting', reason: 'budget:team:core:runs' })
  })

  test('a task waits for the next window, and is not failed for what comes back', async () => {
    const { platform, spending, set } = open()
    const day = await set({ scope: 'tenant', unit: 'runs', window: 'day', hardLimit: 1 })
    const worker = await platform.register()
    await platform.start(one)
    const second = await platform.start(one)
    await worker.finish(await worker.take(), () => ({ output: {} }))
    await spending.upkeep.look()
    await platform.parts.reaper.reap()
    expect((await platform.tasks(second.id))[0]).toMatchObject({ state: 'waiting', reason: `budget:${day.id}` })
    platform.advance(86_400_000)
    await spending.upkeep.look()
    expect((await platform.work(second.id, () => ({ output: {} }))).state).toBe('succeeded')
    await checkLedger(use().owner)
  })

  test('a raised budget wakes the tasks that wait, although others still hold of it', async () => {
    const { platform, set } = open()
    await set({ scope: 'tenant', unit: 'runs', hardLimit: 1 })
    const worker = await platform.register()
    await platform.start(one)
    const second = await platform.start(one)
    expect(await worker.take()).toHaveLength(1)
    expect((await platform.tasks(second.id))[0]!.reason).toBe('budget:tenant:default:runs')
    await set({ scope: 'tenant', unit: 'runs', hardLimit: 2 })
    expect(await worker.take()).toHaveLength(2)
    await platform.check()
  })

  test('what reservations give back wakes tasks too', async () => {
    const { platform, spending, set } = open()
    const root = await set({ scope: 'tenant', unit: 'runs', hardLimit: 2 })
    const worker = await platform.register()
    const held = await spending.spender.reserve({ tenant, scopes: {}, hold: { runs: 1 }, enforcement: 'metered' })
    await platform.start(one)
    const second = await platform.start(one)
    expect(await worker.take()).toHaveLength(1)
    await spending.upkeep.look()
    expect((await platform.tasks(second.id))[0]!.reason).toBe(`budget:${root.id}`)
    await spending.spender.release(held)
    await spending.upkeep.look()
    expect(await worker.take()).toHaveLength(2)
    await platform.check()
    await checkLedger(use().owner)
    await spending.close()
  })

  test('what an agent reports counts once, at the price of the day, also beyond the limit, and stops the next start', async () => {
    const { set, budgets } = open()
    const root = await set({ scope: 'tenant', unit: 'micro-usd', hardLimit: 1_000 })
    const agent = await set({ scope: 'agent', scopeId: 'a1', unit: 'tokens', hardLimit: 10 })
    const report = {
      id: 'call-1',
      agent: 'a1',
      run: 'r1',
      model: 'gpt-4o-mini',
      inputTokens: 10_000,
      outputTokens: 1_000,
    }
    expect(await budgets.report(tenant, report)).toEqual({
      ...{ recorded: true, microUsd: 2_100, tokens: 11_000 },
      subscriptionShare: null,
    })
    expect(await budgets.report(tenant, report)).toMatchObject({ recorded: false })
    expect(await budgets.show(tenant, root.id)).toMatchObject({
      ...{ spent: 2_100, left: 0, byEnforcement: { metered: 0, capped: 0, reported: 2_100 } },
    })
    expect((await budgets.show(tenant, agent.id)).spent).toBe(11_000)
    expect(await budgets.ledger(tenant, root.id, 10)).toMatchObject([
      { state: 'settled', enforcement: 'reported', spent: 2_100, runId: 'r1', agentId: 'a1', purpose: 'gpt-4o-mini' },
    ])
    const spender = new Spender({ database: use().db, onError: () => {} })
    const hold = { 'micro-usd': 1 }
    await expect(spender.reserve({ tenant, scopes: {}, hold, enforcement: 'metered' })).rejects.toMatchObject({
      code: 'budget-refused',
    })
    await spender.close()
    await expect(budgets.report(tenant, { id: 'call-2', model: 'unheard-of' })).rejects.toMatchObject({
      code: 'budget-invalid',
    })
    await checkLedger(use().owner)
  })

  test('what attempts report arrives with their end, in all the budgets of the task, once', async () => {
    const { platform, set, budgets } = open()
    const root = await set({ scope: 'tenant', unit: 'micro-usd', hardLimit: 1_000_000 })
    const worker = await platform.register()
    const run = await platform.start(`name: paid\nbudget: { tokens: 5000 }\nsteps:\n  do: { command: [do] }\n`)
    const [lease] = await worker.take()
    const report = platform.report(lease!, { output: {} })
    const spending = { microUsd: 1_234, inputTokens: 1_000, outputTokens: 200 }
    const reports = [{ ...report, usage: { ...report.usage, spending } }]
    const request = { runnerId: platform.runnerId, reports, progress: [], holding: [], accept: false }
    for (let n = 0; n < 2; n++) await platform.parts.runnerPort.exchange(request, new AbortController().signal)
    expect(await budgets.show(tenant, root.id)).toMatchObject({ spent: 1_234 })
    expect(await budgets.show(tenant, `run:${run.id}:tokens`)).toMatchObject({ spent: 1_200 })
    expect((await platform.run(run.id)).state).toBe('succeeded')
    await platform.check()
    await checkLedger(use().owner)
  })

  test('the end of a lease ends what its attempt holds', async () => {
    const { platform, spending, set } = open()
    await set({ scope: 'tenant', unit: 'micro-usd', hardLimit: 1_000 })
    const worker = await platform.register()
    await platform.start(one)
    const [lease] = await worker.take()
    const { taskId, attempt } = lease!
    const request = {
      tenant,
      scopes: { task: taskId },
      attempt,
      hold: { 'micro-usd': 100 },
      enforcement: 'metered',
    } as const
    await spending.spender.reserve({ ...request, ifLost: 'release' })
    await spending.spender.reserve(request)
    await spending.spender.reserve({ ...request, attempt: attempt + 1 })
    await worker.finish([lease!], () => ({ output: {} }))
    const events = await use().owner<LoggedEvent & { subject_id: string }>(
      `select type, tenant_id as tenant, subject_id, data from events where type = 'task.succeeded'`,
    )
    const ends = events.map((event) => ({ ...event, subject: { kind: 'task', id: event.subject_id, rev: 1 } }))
    await endOfAttempts({ database: platform.database, reader: null as never, onError: () => {} }, ends)
    const states = async () =>
      (await use().owner<{ state: string }>('select state from reservations order by state')).map((row) => row.state)
    expect(await states()).toEqual(['held', 'held', 'released'])
    platform.advance(16_000)
    await use().owner(`update spenders set heartbeat_at = now() + interval '1 hour'`)
    await spending.upkeep.look()
    expect(await states()).toEqual(['expired', 'held', 'released'])
    await spending.close()
  })
})
