import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { TenantId } from '../../src/foundation/kernel/ids.ts'
import { BudgetUpkeep } from '../../src/orchestration/budgets/budget-upkeep.ts'
import { Spender } from '../../src/orchestration/budgets/spender.ts'
import type { ReserveRequest } from '../../src/orchestration/budgets/spender-port.ts'
import { eachDatabase } from '../support/databases.ts'
import { checkLedger } from '../support/ledger.ts'
import { steerClock } from '../support/steered-clock.ts'

const tenant = 'default' as TenantId
const until = (condition: () => boolean | Promise<boolean>) =>
  vi.waitUntil(condition, { timeout: 20_000, interval: 20 })
const usd = (amount: number) => ({ 'micro-usd': amount })

eachDatabase('reservations', (use) => {
  let time: ReturnType<typeof steerClock>
  let problems: unknown[] = []
  beforeEach(() => {
    problems = []
    time = steerClock(use().db)
  })
  afterEach(async () => {
    expect(problems).toEqual([])
    await checkLedger(use().owner)
  })
  const open = (options: { heartbeatMs?: number } = {}) =>
    new Spender({ database: time.database, onError: (error) => problems.push(error), ...options })
  const upkeep = () => new BudgetUpkeep({ database: time.database, onError: (error) => problems.push(error) })

  async function budget(scope: string, scopeId: string, limit: number, window = 'total', soft: number | null = null) {
    const id = `${scope}:${scopeId}:micro-usd${window === 'total' ? '' : `:${window}`}`
    await use().owner(
      `insert into budgets (tenant_id, id, scope, scope_id, unit, hard_limit, soft_limit, time_window)
       values ('default', $1, $2, $3, 'micro-usd', $4, $5, $6)`,
      [id, scope, scopeId, limit, soft, window],
    )
    return id
  }
  const read = async (id: string) =>
    (
      await use().owner<{ held: number; spent: number; metered: number }>(
        'select held::int, spent::int, metered::int from budgets where id = $1',
        [id],
      )
    )[0]!
  const call = (amount: number, more: Partial<ReserveRequest> = {}): ReserveRequest => ({
    ...{ tenant, scopes: { run: 'r1', task: 't1' }, hold: usd(amount), enforcement: 'metered' },
    ...more,
  })
  const states = async () =>
    (await use().owner<{ state: string }>('select state from reservations order by created_at, id')).map(
      (row) => row.state,
    )

  test('what is held, extended and settled adds up in every budget above', async () => {
    await using spender = open()
    const root = await budget('tenant', 'default', 1_000)
    const run = await budget('run', 'r1', 500)
    const held = await spender.reserve(call(100))
    expect(held.lines.map((line) => line.budget).sort()).toEqual([run, root])
    expect(await read(root)).toEqual({ held: 100, spent: 0, metered: 0 })
    const more = await spender.extend(held, usd(60), usd(200))
    expect(more.id).toBe(held.id)
    expect(await read(run)).toEqual({ held: 200, spent: 60, metered: 60 })
    await spender.settle(more, usd(150))
    expect(await read(root)).toEqual({ held: 0, spent: 210, metered: 210 })
    await expect(spender.settle(more, usd(1))).rejects.toMatchObject({ code: 'reservation-ended' })
    await expect(spender.extend(more, usd(1), usd(1))).rejects.toMatchObject({ code: 'reservation-ended' })
  })

  test('64 at once on a small budget, before anything is recorded: as many as fit, and not one more', async () => {
    await using spender = open()
    const root = await budget('tenant', 'default', 1_000)
    const asked = await Promise.allSettled(Array.from({ length: 64 }, () => spender.reserve(call(100))))
    expect(asked.filter((one) => one.status === 'fulfilled')).toHaveLength(10)
    for (const one of asked) {
      if (one.status === 'rejected') {
        expect(one.reason).toMatchObject({ code: 'budget-refused', details: { budget: root } })
      }
    }
    expect(await read(root)).toMatchObject({ held: 1_000, spent: 0 })
  })

  test('64 first requests of an unknown run over three processes: its budget comes from the pattern, and binds them all', async () => {
    const pattern = await budget('tenant', 'default', 300, 'run')
    const spenders = [open(), open(), open()]
    const asked = await Promise.allSettled(
      Array.from({ length: 64 }, (_, n) => spenders[n % 3]!.reserve(call(100, { scopes: { run: `new-${n % 2}` } }))),
    )
    expect(asked.filter((one) => one.status === 'fulfilled')).toHaveLength(6)
    expect(await read(pattern)).toMatchObject({ held: 0, spent: 0 })
    for (const run of ['new-0', 'new-1'])
      expect(await read(`run:${run}:micro-usd:of:${pattern}`)).toMatchObject({ held: 300 })
    await Promise.all(spenders.map((spender) => spender.close()))
  })

  test('worst cases that nobody spends do not block the fleet: small holds that extend', async () => {
    await using spender = open()
    const root = await budget('tenant', 'default', 25_000_000)
    // 200 calls that may cost 5 $ each and will cost a cent: 1,000 $ of worst cases on 25 $.
    const calls = Array.from({ length: 200 }, async (_, n) => {
      const held = await spender.reserve(
        call(5_000_000, { scopes: { task: `t${n}` }, hold: usd(50_000), expected: usd(10_000) }),
      )
      const more = await spender.extend(held, usd(4_000), usd(60_000))
      await spender.settle(more, usd(6_000))
    })
    await Promise.all(calls)
    expect(await read(root)).toEqual({ held: 0, spent: 2_000_000, metered: 2_000_000 })
  })

  test('a wish takes less where less will do, and says what it got', async () => {
    await using spender = open()
    await budget('tenant', 'default', 1_000)
    const first = await spender.reserve(call(700))
    const second = await spender.reserve(call(700, { least: usd(100) }))
    expect(second.hold).toEqual(usd(300))
    await expect(spender.reserve(call(700, { least: usd(100) }))).rejects.toMatchObject({ code: 'budget-refused' })
    await spender.settle(first, usd(700))
    await spender.release(second)
    expect((await spender.reserve(call(700, { least: usd(100) }))).hold).toEqual(usd(300))
  })

  test('who waits says for which budget, and the highest priority is served first', async () => {
    await using spender = open()
    await using other = open()
    const root = await budget('tenant', 'default', 100)
    const held = await spender.reserve(call(100))
    const order: number[] = []
    const waiting = [3, 9, 5].map((priority) =>
      spender.reserve(call(100, { priority, waitMs: 60_000 })).then(async (reservation) => {
        order.push(priority)
        await other.settle(reservation, usd(10))
      }),
    )
    await until(async () => (await states()).filter((state) => state === 'waiting').length === 3)
    expect(await use().owner(`select distinct waits_for from reservations where state = 'waiting'`)).toEqual([
      { waits_for: root },
    ])
    // Another process gives back: nobody tells this one, it looks.
    await other.release(held)
    await until(() => order.length === 1)
    expect(order).toEqual([9])
    await use().owner('update budgets set hard_limit = 1000')
    await Promise.all(waiting)
    expect(order).toEqual([9, 5, 3])
    expect(await read(root)).toMatchObject({ held: 0, spent: 30 })
  })

  test('waiting ends with its time, with its caller, and with the process', async () => {
    const spender = open()
    await budget('tenant', 'default', 100)
    const held = await spender.reserve(call(100))
    const gone = new AbortController()
    const late = spender.reserve(call(1, { waitMs: 30_000 }))
    const aborted = spender.reserve(call(1, { waitMs: 60_000 }), gone.signal)
    const closed = spender.reserve(call(1, { waitMs: 600_000 }))
    await until(async () => (await states()).filter((state) => state === 'waiting').length === 3)
    gone.abort(new Error('the caller left'))
    await expect(aborted).rejects.toThrow('the caller left')
    time.advance(31_000)
    await expect(late).rejects.toMatchObject({ code: 'budget-refused' })
    const closing = expect(closed).rejects.toMatchObject({ code: 'spender-closed' })
    await spender.settle(held, usd(100))
    await spender.close()
    await closing
    expect((await states()).filter((state) => state === 'waiting')).toEqual([])
  })

  test('a reservation is settled into the window in which it was held', async () => {
    await using spender = open()
    const day = await budget('tenant', 'default', 1_000, 'day')
    const held = await spender.reserve(call(600))
    const start = held.lines[0]!.window!
    time.advance(86_400_000)
    // A new day has its whole limit, whatever yesterday still holds.
    const today = await spender.reserve(call(900))
    await spender.settle(held, usd(500))
    await spender.settle(today, usd(800))
    expect(await read(day)).toMatchObject({ held: 0, spent: 800 })
    expect(
      await use().owner('select window_start = $1 as same, held::int, spent::int from budget_windows', [start]),
    ).toEqual([{ same: true, held: 0, spent: 500 }])
  })

  test('an extension across the end of a window begins in the new one', async () => {
    await using spender = open()
    const day = await budget('tenant', 'default', 1_000, 'day')
    const held = await spender.reserve(call(600))
    time.advance(86_400_000)
    const more = await spender.extend(held, usd(100), usd(1_000))
    expect(more.id).not.toBe(held.id)
    expect(await read(day)).toMatchObject({ held: 1_000, spent: 0 })
    await spender.settle(more, usd(7))
    expect(await read(day)).toMatchObject({ held: 0, spent: 7 })
    expect(await use().owner('select held::int, spent::int from budget_windows')).toEqual([{ held: 0, spent: 100 }])
  })

  test('a window of hours begins with its first use and ends by itself', async () => {
    await using spender = open()
    const share = await budget('agent', 'a1', 100, '5h')
    const ask = () => spender.reserve(call(100, { scopes: { agent: 'a1' } }))
    await spender.settle(await ask(), usd(100))
    await expect(ask()).rejects.toMatchObject({ code: 'budget-refused' })
    time.advance(5 * 3_600_000)
    await upkeep().look()
    expect(await use().owner('select window_start from budgets where id = $1', [share])).toEqual([
      { window_start: null },
    ])
    await spender.settle(await ask(), usd(1))
    expect(await read(share)).toMatchObject({ spent: 1 })
  })

  test('what a dead process may have spent counts in full, until somebody knows better', async () => {
    const dead = open({ heartbeatMs: 3_600_000 })
    const root = await budget('tenant', 'default', 1_000)
    const counted = await dead.reserve(call(300))
    await dead.reserve(call(200, { ifLost: 'release' }))
    await upkeep().look()
    expect(await read(root)).toMatchObject({ held: 500 })
    time.advance(9_000)
    await upkeep().look()
    expect(await read(root)).toMatchObject({ held: 0, spent: 300 })
    expect((await states()).sort()).toEqual(['expired', 'released'])
    expect(await use().owner(`select type from events where subject_kind = 'reservation' order by type`)).toEqual([
      { type: 'reservation.expired' },
      { type: 'reservation.released' },
    ])
    // It was only slow after all.
    await dead.settle(counted, usd(120))
    expect(await read(root)).toMatchObject({ held: 0, spent: 120 })
    await dead.close()
  })

  test('time ends a reservation that nobody settles or extends, also of a process that lives', async () => {
    await using spender = open()
    const root = await budget('tenant', 'default', 1_000)
    const first = await spender.reserve(call(100, { ttlMs: 60_000 }))
    const second = await spender.reserve(call(100, { ttlMs: 60_000 }))
    time.advance(50_000)
    await use().owner('update spenders set heartbeat_at = now() + interval $$1 hour$$')
    const extended = await spender.extend(first, usd(10), usd(100))
    time.advance(20_000)
    await upkeep().look()
    expect(await read(root)).toMatchObject({ held: 100, spent: 110 })
    await spender.settle(extended, usd(1))
    await spender.settle(second, usd(5))
    expect(await read(root)).toMatchObject({ held: 0, spent: 16 })
  })

  test('a soft limit is told once a window', async () => {
    await using spender = open()
    await budget('tenant', 'default', 1_000, 'day', 300)
    const spend = async (amount: number) => spender.settle(await spender.reserve(call(amount)), usd(amount))
    const told = async () =>
      (await use().owner<{ data: unknown }>(`select data from events where type = 'budget.soft-limit'`)).length
    await spend(299)
    await upkeep().look()
    expect(await told()).toBe(0)
    await spend(1)
    await upkeep().look()
    await upkeep().look()
    expect(await told()).toBe(1)
    time.advance(86_400_000)
    await spend(400)
    await upkeep().look()
    expect(await told()).toBe(2)
  })

  test('bad amounts are refused before anything is written', async () => {
    await using spender = open()
    for (const hold of [{}, usd(-1), usd(0.5), usd(Number.NaN)]) {
      await expect(spender.reserve(call(0, { hold }))).rejects.toMatchObject({ code: 'reservation-invalid' })
    }
    const held = await spender.reserve(call(1))
    await expect(spender.settle(held, { tokens: 5 })).rejects.toMatchObject({ code: 'reservation-invalid' })
    await spender.settle(held, usd(1))
    expect(await states()).toEqual(['settled'])
  })
})
