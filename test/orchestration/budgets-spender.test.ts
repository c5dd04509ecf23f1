import { expect, test } from 'vitest'
import type { TenantId } from '../../src/foundation/kernel/ids.ts'
import { Spender } from '../../src/orchestration/budgets/spender.ts'
import type { ReserveRequest } from '../../src/orchestration/budgets/spender-port.ts'
import { eachDatabase } from '../support/databases.ts'

const tenant = 'default' as TenantId

eachDatabase('reservations', (use) => {
  const problems: unknown[] = []
  const open = () => new Spender({ database: use().db, onError: (error) => problems.push(error) })

  async function budget(scope: string, scopeId: string, unit: string, limit: number, window = 'total') {
    const id = `${scope}:${scopeId}:${unit}${window === 'total' ? '' : `:${window}`}`
    await use().owner(
      `insert into budgets (tenant_id, id, scope, scope_id, unit, hard_limit, time_window) values ('default', $1, $2, $3, $4, $5, $6)`,
      [id, scope, scopeId, unit, limit, window],
    )
    return id
  }
  const read = async (id: string) =>
    (
      await use().owner<{ held: number; spent: number; reserved: number; metered: number }>(
        'select held::int, spent::int, reserved::int, metered::int from budgets where id = $1',
        [id],
      )
    )[0]!
  const call = (usd: number, more: Partial<ReserveRequest> = {}): ReserveRequest => ({
    tenant,
    scopes: { run: 'r1', task: 't1' },
    hold: { 'micro-usd': usd },
    enforcement: 'metered',
    ...more,
  })

  test('what is held, extended and settled adds up in every budget above', async () => {
    await using spender = open()
    const root = await budget('tenant', 'default', 'micro-usd', 1_000)
    const run = await budget('run', 'r1', 'micro-usd', 500)
    const held = await spender.reserve(call(100))
    expect(held.lines.map((line) => line.budget).sort()).toEqual([run, root])
    expect(await read(root)).toEqual({ held: 100, spent: 0, reserved: 100, metered: 0 })
    const more = await spender.extend(held, { 'micro-usd': 60 }, { 'micro-usd': 200 })
    expect(await read(run)).toEqual({ held: 200, spent: 60, reserved: 200, metered: 60 })
    await spender.settle(more, { 'micro-usd': 150 })
    expect(await read(root)).toEqual({ held: 0, spent: 210, reserved: 0, metered: 210 })
    await expect(spender.settle(more, { 'micro-usd': 1 })).rejects.toMatchObject({ code: 'reservation-ended' })
    expect(problems).toEqual([])
  })

  test('64 at once on a small budget: as many as fit, and not one more', async () => {
    await using spender = open()
    const root = await budget('tenant', 'default', 'micro-usd', 1_000)
    const asked = await Promise.allSettled(Array.from({ length: 64 }, () => spender.reserve(call(100))))
    expect(asked.filter((one) => one.status === 'fulfilled')).toHaveLength(10)
    for (const one of asked) {
      if (one.status === 'rejected')
        expect(one.reason).toMatchObject({ code: 'budget-refused', details: { budget: root } })
    }
    expect(await read(root)).toMatchObject({ held: 1_000, spent: 0 })
  })
})
