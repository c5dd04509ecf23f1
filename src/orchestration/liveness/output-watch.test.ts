import { expect, test } from 'vitest'
import type { RunId, TaskId, TenantId } from '../../foundation/kernel/ids.ts'
import { type LogChunk, noLogs } from '../runners/log-sink.ts'
import { OutputWatch } from './output-watch.ts'

function chunk(text: string, seq: number, more: Partial<LogChunk> = {}): LogChunk {
  return {
    tenant: 'default' as TenantId,
    runId: 'run_1' as RunId,
    taskId: 'run_1/0' as TaskId,
    step: 'work',
    item: null,
    attempt: 1,
    fence: 1,
    seq,
    stream: 'stdout',
    at: '2026-01-01T00:00:00Z',
    bytes: Buffer.from(text),
    ...more,
  }
}

test('an attempt that says the same again and again is told, however its output is cut', async () => {
  const watch = new OutputWatch()
  const sink = watch.listenTo(noLogs)
  const text = `begin\n${'I will try again\nno luck\n\n'.repeat(30)}`
  for (let n = 0; n * 7 < text.length; n++) await sink.append([chunk(text.slice(n * 7, n * 7 + 7), n)])
  const [found, ...others] = watch.circling(50)
  expect(others).toEqual([])
  expect(found).toMatchObject({ taskId: 'run_1/0', step: 'work', turn: { period: 2, length: 60 } })
  expect(watch.circling(61)).toEqual([])
  await sink.append([chunk('something else\n', 1_000)])
  expect(watch.circling(2)).toEqual([])
})

test('a chunk that comes twice counts once, attempts and streams are told apart, and what is forgotten starts anew', async () => {
  const watch = new OutputWatch()
  const sink = watch.listenTo(noLogs)
  const same = chunk('again\n'.repeat(10), 0)
  await sink.append([same, { ...same }])
  await sink.append([chunk('again\n'.repeat(10), 0, { fence: 2, taskId: 'run_1/1' as TaskId })])
  await sink.append([chunk('again\n'.repeat(10), 1, { stream: 'stderr' })])
  expect(watch.circling(10).map(({ turn }) => turn.length)).toEqual([10, 10, 10])
  watch.forget('run_1/0')
  expect(watch.circling(10).map(({ taskId }) => taskId)).toEqual(['run_1/1'])
})
