import { expect, test } from 'vitest'
import { eachDatabase } from '../../../test/support/databases.ts'
import type { AgentId, RunId, TaskId, TenantId } from '../../foundation/kernel/ids.ts'
import type { Assignment } from '../runners/exchange-contract.ts'
import { agentSpec } from '../runners/runner-kit.fixture.ts'
import { createContextGrowth, createContextSink } from './context-growth.ts'
import { contextsOfAgent, fullestContexts } from './context-use-store.ts'

const tenant = 'default' as TenantId
const lease = (task: string, fence: number): Assignment => ({
  ...{ tenant, runId: 'run_1' as RunId, taskId: task as TaskId, step: 'fix', item: null, attempt: 1, fence },
  ...{ agentId: 'agent-1' as AgentId, spec: agentSpec('x'), repo: null },
})

eachDatabase('context growth', (use) => {
  const errors: unknown[] = []
  const open = (everyMs?: number, pool = 'coders') =>
    createContextGrowth({
      ...{
        sink: createContextSink(use().db, async () => pool),
        clock: use().db.clock,
        onError: (error: unknown) => void errors.push(error),
      },
      ...(everyMs === undefined ? {} : { everyMs }),
    })
  const read = () =>
    use()
      .db.forTenant(tenant)
      .read((tx) => contextsOfAgent(tx, tenant, 'agent-1'))

  test('thresholds are events, each once until it is summarised; figures are kept as long as the attempt lasts', async () => {
    const meter = open()(lease('tsk_1', 1))
    for (const used of [10_000, 20_000, 55_000, 60_000, 86_000, 87_000]) meter.note(used, 100_000)
    meter.summarised()
    expect(meter.note(52_000, 100_000)).toMatchObject({ level: 'warn' })
    await expect
      .poll(read, { timeout: 15_000 })
      .toMatchObject([
        { taskId: 'tsk_1', used: 52_000, limit: 100_000, share: 0.52, level: 'warn', summaries: 1, turns: 7 },
      ])
    await meter.close()
    expect(await read()).toEqual([])
    const events = await use().owner<{ type: string }>(
      `select type from event_batches where subject_kind = 'context' order by seq`,
    )
    expect(events.map(({ type }) => type)).toEqual([
      'context.warned',
      'context.checkpoint-due',
      'context.summarised',
      'context.warned',
    ])
    expect(errors).toEqual([])
  })

  test('the fullest come first, and one that says nothing writes nothing', async () => {
    const silent = open()(lease('tsk_2', 2))
    const [half, most] = [open()(lease('tsk_3', 3)), open()(lease('tsk_4', 4))]
    half.note(20_000, 100_000)
    most.note(90_000, 100_000)
    const list = () =>
      use()
        .db.forTenant(tenant)
        .read((tx) => fullestContexts(tx, tenant, new Date(0), 10))
    await expect.poll(async () => (await list()).map(({ taskId }) => taskId)).toEqual(['tsk_4', 'tsk_3'])
    await Promise.all([silent, half, most].map((meter) => meter.close()))
    expect(await list()).toEqual([])
  })

  test('a new attempt begins with what former ones of its agent let expect, or of its pool', async () => {
    const at = (agent: string, task: string): Assignment => ({ ...lease(task, 1), agentId: agent as AgentId })
    const work = async (agent: string, task: string, step: number) => {
      const meter = open(undefined, 'others')(at(agent, task))
      for (const turn of [1, 2, 3]) meter.note(turn * step, 100_000)
      await meter.close()
    }
    const first = async (agent: string, task: string) => {
      const known = Promise.withResolvers<void>()
      const sink = createContextSink(use().db, async () => 'others')
      const expected = (of: Parameters<NonNullable<typeof sink.expected>>[0]) =>
        sink.expected!(of).finally(() => setImmediate(known.resolve))
      const onError = (error: unknown) => void errors.push(error)
      const meter = createContextGrowth({ sink: { ...sink, expected }, clock: use().db.clock, onError })(
        at(agent, task),
      )
      await known.promise
      const forecast = meter.note(1_000, 100_000)
      await meter.close()
      return forecast
    }
    const virgin = open(undefined, 'others')(at('a', 'tsk_10'))
    expect(virgin.note(1_000, 100_000)).toMatchObject({ growth: null, turnsLeft: null })
    await virgin.close()
    for (const [n, step] of [10_000, 10_000, 20_000, 10_000].entries()) await work('a', `tsk_1${n + 1}`, step)
    await work('b', 'tsk_20', 30_000)
    // Of an agent that nobody has seen, the pool tells: of 10, 10, 20, 10 and 30 thousand three quarters are 20 at most.
    expect(await first('c', 'tsk_30')).toMatchObject({ growth: 20_000 })
    expect(await first('a', 'tsk_31')).toMatchObject({ growth: 10_000, turnsLeft: 9 })
    // What an attempt does itself outweighs it soon.
    const other = open(undefined, 'others')(at('a', 'tsk_32'))
    for (const used of [1_000, 2_000, 3_000, 4_000]) other.note(used, 100_000)
    expect(other.note(5_000, 100_000).growth).toBe(1_000)
    await other.close()
    expect(errors).toEqual([])
  })

  test('another tenant sees none of it', async () => {
    const meter = open()(lease('tsk_5', 5))
    meter.note(90_000, 100_000)
    await expect.poll(async () => (await read()).length).toBe(1)
    const other = 'other' as TenantId
    expect(
      await use()
        .db.forTenant(other)
        .read((tx) => fullestContexts(tx, other, new Date(0), 10)),
    ).toEqual([])
    await meter.close()
  })
})
