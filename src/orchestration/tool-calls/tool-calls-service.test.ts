import { expect, test } from 'vitest'
import { eachDatabase } from '../../../test/support/databases.ts'
import type { TenantId } from '../../foundation/kernel/ids.ts'
import { SecretMasker } from '../../foundation/platform/secrets/index.ts'
import { readEventsOfRun } from '../../foundation/runtime/event-log.ts'
import type { Assignment } from '../runners/exchange-contract.ts'
import { usualBounds } from './bounded-journal.ts'
import { ToolCallNotes } from './tool-call-notes.ts'
import { createToolCallKeeper } from './tool-calls-service.ts'
import { listToolCalls, toolCallsOfTask, toolUseOfRun } from './tool-calls-store.ts'

const tenant = 'default' as TenantId
const lease = (taskId: string, fence: number) =>
  ({ tenant, runId: 'run_1', taskId, step: 'fix', item: null, attempt: 1, fence }) as unknown as Assignment
const read = { tool: 'read', kind: 'read', title: 'read a.ts' } as const

eachDatabase('tool calls of agents', (use) => {
  const errors: unknown[] = []
  const notes = (keep = createToolCallKeeper(use().db, () => {})) =>
    new ToolCallNotes({ keep, clock: use().db.clock, onError: (error) => void errors.push(error), pauseMs: 1 })
  const open = (from: Assignment, keep?: Parameters<typeof notes>[0]) =>
    notes(keep).open(from, 'acp', new SecretMasker([]))
  const events = async () => {
    const where = { tenant, runId: 'run_1', since: new Date(0), after: 0, limit: 10_000 }
    const all = await use()
      .db.forTenant(tenant)
      .read((tx) => readEventsOfRun(tx, where))
    return all.filter(({ type }) => type.startsWith('tool-call.'))
  }

  test('each change is an event, once, however often it is told', async () => {
    const keep = createToolCallKeeper(use().db, () => {})
    let lost = 0
    // The answer to every other batch is lost on the way, after it was kept.
    const journal = open(lease('task_1', 7), async (batch) => {
      await keep(batch)
      if (lost++ % 2 === 0) throw new Error('lost')
    })
    journal.started('a', read)
    journal.started('b', { tool: 'run', kind: 'execute', title: 'make test' })
    journal.ended('a', 'completed')
    await journal.close()
    expect(errors).toEqual([])
    const told = (await events()).map(({ type, subject, data }) => [type, subject.id, subject.rev, data])
    expect(told).toHaveLength(4)
    expect(told).toMatchObject([
      ['tool-call.started', 'call_7_0', 1, { tool: 'read', title: 'read a.ts', step: 'fix', taskId: 'task_1' }],
      ['tool-call.ended', 'call_7_0', 2, { state: 'completed' }],
      ['tool-call.started', 'call_7_1', 1, { tool: 'run', kind: 'execute' }],
      ['tool-call.ended', 'call_7_1', 2, { state: 'abandoned' }],
    ])
    const calls = await use()
      .db.forTenant(tenant)
      .read((tx) => toolCallsOfTask(tx, tenant, 'task_1', 10))
    expect(calls.map(({ id, state }) => [id, state])).toEqual([
      ['call_7_0', 'completed'],
      ['call_7_1', 'abandoned'],
    ])
  })

  test('what comes after the end changes nothing', async () => {
    const keep = createToolCallKeeper(use().db, () => {})
    const note = {
      ...{ n: 0, source: 'acp', tool: 'x', kind: 'read', title: '', calls: 1, failed: 0, refused: 0, durationMs: 1 },
      ...{ ...lease('task_2', 2), startedAt: new Date().toISOString() },
    }
    await keep([{ ...note, state: 'completed' }])
    await keep([{ ...note, state: 'failed', failed: 1 }])
    await keep([{ ...note, state: 'started' }])
    const own = (await events()).filter(({ subject }) => subject.id.startsWith('call_2_'))
    expect(own.map(({ subject }) => subject.rev)).toEqual([1, 2])
  })

  test('an agent that floods writes little, and is counted in full', async () => {
    const journal = open(lease('task_flood', 3))
    for (let n = 0; n < 20_000; n++) {
      journal.started(String(n), read)
      journal.ended(String(n), 'failed')
    }
    await journal.close()
    const own = (await events()).filter(({ subject }) => subject.id.startsWith('call_3_'))
    expect(own.length).toBeLessThanOrEqual(2 * usualBounds.burst + 10)
    const db = use().db.forTenant(tenant)
    const use1 = await db.read((tx) => toolUseOfRun(tx, tenant, 'run_1', 10))
    expect(use1.find(({ tool }) => tool === 'read')).toMatchObject({ calls: 20_000, failed: 20_000 })
    const page = await db.read((tx) => listToolCalls(tx, tenant, { run: 'run_1', before: null, limit: 5 }))
    expect(page).toHaveLength(5)
  })

  test('notes that cannot be kept are given up, and the work goes on', async () => {
    const journal = open(lease('task_3', 4), async () => {
      throw new Error('no database')
    })
    journal.started('a', read)
    await journal.close()
    expect(errors.splice(0)).toMatchObject([{ message: 'no database' }])
  })
})
