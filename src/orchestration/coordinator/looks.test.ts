import { expect, test } from 'vitest'
import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { Tx } from '../../foundation/platform/database/database.ts'
import { type FreshTask, headsOfFresh, type Look, Looks } from './looks.ts'

const tx = () => ({}) as Tx
const look = { shards: [] } as unknown as Look
const task = (taskId: string, lane: string, budgets: Readonly<Record<string, number>> = {}): FreshTask => ({
  ...{ tenant: 'default' as TenantId, taskId, pool: 'p', lane },
  ...{ budgetIds: Object.keys(budgets), holds: Object.values(budgets) },
})

test('a look is taken once, with what was made ready since', () => {
  const [looks, own] = [new Looks(), tx()]
  looks.add(own, [task('before', 'l')])
  looks.keep(own, look)
  looks.add(own, [task('a', 'l')])
  looks.add(own, [task('b', 'l')])
  expect(looks.take(tx())).toBeNull()
  expect(looks.take(own)?.fresh.map(({ taskId }) => taskId)).toEqual(['a', 'b'])
  expect(looks.take(own)).toBeNull()
})

test('no look tells of what others made ready, nor of what came between two', () => {
  const looks = new Looks()
  const [dropped, twice] = [tx(), tx()]
  looks.keep(dropped, look)
  looks.drop(dropped)
  expect(looks.take(dropped)).toBeNull()
  // What was dropped before it began is none of its concern.
  looks.keep(twice, look)
  looks.keep(twice, look)
  looks.keep(twice, look)
  expect(looks.take(twice)).toBeNull()
})

test('new tasks are the heads of their lanes, in their order, with what they hold', () => {
  const heads = headsOfFresh([task('a', 'x', { b1: 1, b2: 5 }), task('b', 'y'), task('c', 'x')])
  expect(heads).toEqual([
    { tenant: 'default', pool: 'p', lane: 'x', ids: ['a', 'c'], readySeqs: [0, 2], holds: ['b1,b2=1,5', ''] },
    { tenant: 'default', pool: 'p', lane: 'y', ids: ['b'], readySeqs: [1], holds: [''] },
  ])
})
