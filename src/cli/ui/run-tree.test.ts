import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { taskStateSchema } from '../../orchestration/runs/runs-contract.ts'
import { detailOf, fixtureNow, stepOf, taskOf } from './run-detail-fixture.ts'
import { buildRunTree, type TreeOptions } from './run-tree.ts'

const at = (options: Partial<TreeOptions> = {}) => ({ now: fixtureNow, ...options })

describe('the tree of a run', () => {
  test('says of each step how far it is, by whom, and why not', () => {
    const tree = buildRunTree(
      detailOf(
        [
          stepOf('clone', 'succeeded'),
          stepOf('lint', 'running'),
          stepOf('next', 'running'),
          stepOf('stuck', 'running'),
          stepOf('flaky', 'waiting', { reason: 'back-off' }),
          stepOf('test', 'failed'),
          stepOf('deploy', 'skipped', { reason: 'test failed' }),
          stepOf('later', 'pending'),
        ],
        [
          taskOf('lint', 'running', { agentId: 'rnr_1a2b.agent_7', attempt: 2, startedAt: '2026-01-01T00:01:00.000Z' }),
          taskOf('next', 'ready', { startedAt: null }),
          taskOf('stuck', 'ready', { startedAt: null, reason: 'no agent of the pool p offers review:9' }),
          taskOf('test', 'failed', { error: { code: 'exit-code', message: 'exit code 1\n\u001b[31mboom' } }),
        ],
      ),
      at(),
    )
    expect(tree).toMatchObject({ title: 'checkup run_1', mood: 'live', status: 'running, 3/8 steps, 1m 30s' })
    expect(tree.rows.map(({ label, mood, note, elapsed }) => [label, mood, note, elapsed])).toEqual([
      ['clone', 'good', '', '5.0s'],
      ['lint', 'live', 'agent_7, attempt 2', '30.0s'],
      ['next', 'open', 'queued', ''],
      ['stuck', 'open', 'queued: no agent of the pool p offers review:9', ''],
      ['flaky', 'waiting', 'back-off', '1m 30s'],
      ['test', 'bad', 'exit code 1 ⏎ \\x1b[31mboom', '5.0s'],
      ['deploy', 'skipped', 'test failed', ''],
      ['later', 'open', '', ''],
    ])
  })

  test('counts the items of a map and shows a few of those that run', () => {
    const tasks = Array.from({ length: 20 }, (_, item) =>
      taskOf('each', item < 8 ? 'succeeded' : item < 15 ? 'running' : 'ready', { item, agentId: `agent_${item}` }),
    )
    const step = stepOf('each', 'running', { kind: 'map', total: 20, open: 12, failed: 1 })
    const { rows } = buildRunTree(detailOf([step], tasks), at({ maxItems: 2 }))
    expect(rows.map(({ depth, label, note }) => [depth, label, note])).toEqual([
      [0, 'each', '8/20, 7 running, 1 failed'],
      [1, '#8', 'agent_8'],
      [1, '#9', 'agent_9'],
    ])
    const ended = stepOf('each', 'succeeded', { kind: 'map', total: 20, open: 0 })
    expect(buildRunTree(detailOf([ended], tasks), at()).rows).toHaveLength(1)
  })

  test('says what the items of a map wait for, of several reasons the most frequent', () => {
    const waiting = (item: number, key: string) => taskOf('each', 'waiting', { item, reason: `concurrency:key:${key}` })
    const tasks = [taskOf('each', 'running', { item: 0 }), waiting(1, 'b'), waiting(2, 'a'), waiting(3, 'a')]
    const noteOf = (total: number, own: typeof tasks) => {
      const step = stepOf('each', 'running', { kind: 'map', total, open: total })
      return buildRunTree(detailOf([step], own), at()).rows[0]?.note
    }
    expect(noteOf(4, tasks)).toBe('0/4, 1 running, 2 waiting for concurrency:key:a')
    const ready = (item: number) => taskOf('each', 'ready', { item, reason: 'all are busy' })
    expect(noteOf(2, [ready(0), ready(1)])).toBe('queued: all are busy')
    expect(noteOf(2, [taskOf('each', 'running', { item: 0 }), ready(1)])).toBe('0/2, 1 running, 1 queued: all are busy')
  })

  test('folds what is done, then what is to do; what runs or failed stays in sight', () => {
    const steps = [
      ...Array.from({ length: 30 }, (_, n) => stepOf(`done${n}`, 'succeeded')),
      stepOf('now', 'running'),
      stepOf('broken', 'failed'),
      ...Array.from({ length: 30 }, (_, n) => stepOf(`todo${n}`, 'pending')),
    ]
    const { rows } = buildRunTree(detailOf(steps), at({ maxRows: 6 }))
    expect(rows.map(({ label, note }) => [label, note])).toEqual([
      ['30 steps', 'done'],
      ['now', ''],
      ['broken', ''],
      ['30 steps', 'to do'],
    ])
  })

  test('never has more rows than fit, nor a control character, whatever the run', () => {
    const step = fc.record({
      id: fc.string({ unit: 'binary', minLength: 1 }),
      state: fc.constantFrom(...taskStateSchema.options),
      total: fc.nat(9),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), fc.integer({ min: 1, max: 20 }), (steps, maxRows) => {
        const views = steps.map(({ id, state, total }) =>
          stepOf(id, state, { total, kind: total > 1 ? 'map' : 'command' }),
        )
        const tasks = steps.map(({ id, state }, item) => taskOf(id, state, { item, error: { code: 'x', message: id } }))
        const tree = buildRunTree(detailOf(views, tasks), at({ maxRows }))
        expect(tree.rows.length).toBeLessThanOrEqual(maxRows)
        expect(JSON.stringify(tree.rows.map(({ label, note }) => label + note))).not.toMatch(
          /[\u0000-\u001f\u007f-\u009f]/,
        )
      }),
    )
  })
})
