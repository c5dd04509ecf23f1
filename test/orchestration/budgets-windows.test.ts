import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createSpending } from '../../src/app/spending.ts'
import { isAppError } from '../../src/foundation/kernel/errors.ts'
import { recordAttempts } from '../../src/orchestration/budgets/record-attempts.ts'
import type { Reservation } from '../../src/orchestration/budgets/spender-port.ts'
import { spendersOfTasks } from '../../src/orchestration/runs/spenders-of-tasks.ts'
import { eachDatabase, type TestDatabase } from '../support/databases.ts'
import { checkLedger } from '../support/ledger.ts'
import { TestPlatform, tenant } from '../support/platform.ts'
import { wideWorkflow } from './wide.fixture.ts'

const hour = 3_600_000
/** What an attempt holds: its 10 s and 5 s until its processes are certainly gone. */
const wallHold = 15_000

/** A step of a history in which windows begin and end while leases and reservations are open. */
const step = fc.record({
  what: fc.oneof(
    { weight: 3, arbitrary: fc.constant('take' as const) },
    { weight: 3, arbitrary: fc.constant('finish' as const) },
    { weight: 2, arbitrary: fc.constant('fail' as const) },
    { weight: 1, arbitrary: fc.constant('lose' as const) },
    { weight: 2, arbitrary: fc.constant('reserve' as const) },
    { weight: 2, arbitrary: fc.constant('settle' as const) },
    { weight: 1, arbitrary: fc.constant('extend' as const) },
    { weight: 1, arbitrary: fc.constant('look' as const) },
  ),
  /** How much time passes first, ms: none, a moment, or some part of a window. */
  pass: fc.oneof(fc.constant(0), fc.nat(2_000), fc.nat(9 * hour)),
  nth: fc.nat(9),
  wallSeconds: fc.integer({ min: 0, max: 20 }),
  usd: fc.integer({ min: 1, max: 400 }),
})

interface Window {
  readonly id: string
  readonly start: string | null
  readonly end: string | null
  readonly held: number
  readonly spent: number
}

const inNumbers = `coalesce(to_char(window_start at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), '') as start,
  to_char(window_end at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as "end", held::int, spent::int`

function windowOf({ lines }: Reservation): string {
  return new Date(lines[0]!.window!).toISOString()
}

function presentWindows(owner: TestDatabase['owner']) {
  return owner<Window>(`select id, ${inNumbers} from budgets where time_window <> 'total'`)
}

function allWindows(owner: TestDatabase['owner']) {
  return owner<Window>(`select id, ${inNumbers} from budgets where time_window <> 'total'
    union all select budget_id, ${inNumbers} from budget_windows`)
}

eachDatabase('windows of budgets', (use) => {
  function start() {
    const platform = new TestPlatform(use())
    const { database, parts, errors } = platform
    const onError = (error: unknown) => void errors.push(error)
    const spending = createSpending({ database, dispatch: parts.dispatch, prices: [], onCommit: () => {}, onError })
    const set = (unit: 'wall-seconds' | 'runs' | 'micro-usd', window: 'day' | '5h', hardLimit: number | null) =>
      spending.budgets.set(tenant, { scope: 'tenant', unit, window, hardLimit, softLimit: null })
    return { platform, spending, set }
  }

  test('whatever is held settles in the window in which it was held, whenever that is', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
        await use().reset()
        const { platform, spending, set } = start()
        await set('wall-seconds', 'day', 120)
        await set('runs', '5h', 9)
        await set('micro-usd', '5h', 1_000)
        const worker = await platform.register(6)
        await platform.start(wideWorkflow(60))
        const { spender, upkeep } = spending
        /** Of each open lease, by fence, and of each reservation: the windows in which it began. */
        const leases = new Map<number, ReadonlyMap<string, string>>()
        const reservations: { reservation: Reservation; window: string }[] = []
        const spent = new Map<string, number>()
        const spend = (id: string, window: string, amount: number) =>
          spent.set(`${id} ${window}`, (spent.get(`${id} ${window}`) ?? 0) + amount)
        const settleLease = (fence: number, wall: number) => {
          const windows = leases.get(fence)!
          leases.delete(fence)
          spend('tenant:default:wall-ms:day', windows.get('tenant:default:wall-ms:day')!, Math.min(wallHold, wall))
          spend('tenant:default:runs:5h', windows.get('tenant:default:runs:5h')!, 1)
        }
        /** Remembers in which windows new leases were made: those that are present just after. */
        const notice = async () => {
          const open = await use().owner<{ fence: number; at: Date }>(
            `select fence, leased_at as at from tasks where state in ('leased', 'running')`,
          )
          const fresh = open.filter(({ fence }) => !leases.has(Number(fence)))
          if (fresh.length === 0) return
          const rows = (await presentWindows(use().owner)).filter(({ id }) => !id.includes('usd'))
          for (const { fence, at } of fresh) {
            const moment = at.toISOString()
            for (const { id, start, end } of rows) {
              expect(start! <= moment && moment < end!, `${id}: ${start} to ${end}, not ${moment}`).toBe(true)
            }
            leases.set(Number(fence), new Map(rows.map((row) => [row.id, row.start!])))
          }
        }
        await notice()
        const tolerate = (error: unknown) => {
          if (!isAppError(error, 'budget-refused')) throw error
        }
        const held = (nth: number) => [...worker.held.values()][nth % Math.max(1, worker.held.size)]
        for (const { what, pass, nth, wallSeconds, usd } of steps) {
          platform.advance(pass)
          const lease = held(nth)
          if (what === 'look') {
            // Its process lives, however fast time passes.
            await use().owner('update spenders set heartbeat_at = $1', [platform.database.clock.now()])
            await upkeep.look()
          }
          if (what === 'take') await worker.exchange()
          else if (what === 'finish' && lease !== undefined) {
            settleLease(lease.fence, wallSeconds * 1_000)
            await worker.finish([lease], () => ({ output: {}, wallSeconds }))
          } else if (what === 'fail' && lease !== undefined) {
            settleLease(lease.fence, 20)
            await worker.finish([lease], () => ({ code: 'exit-code', exitCode: 1 }))
          } else if (what === 'lose') {
            await platform.parts.reaper.giveUp([worker.runnerId])
            // Nobody knows what they used: it counts in full.
            for (const fence of [...leases.keys()]) settleLease(fence, wallHold)
            worker.held.clear()
          } else if (what === 'reserve') {
            const request = { tenant, scopes: {}, hold: { 'micro-usd': usd }, enforcement: 'metered' } as const
            await spender.reserve({ ...request, ttlMs: 900 * hour }).then((reservation) => {
              reservations.push({ reservation, window: windowOf(reservation) })
            }, tolerate)
          } else if (what === 'settle' && reservations.length > 0) {
            const { reservation, window } = reservations.splice(nth % reservations.length, 1)[0]!
            const used = Math.min(usd, reservation.hold['micro-usd']!)
            spend('tenant:default:micro-usd:5h', window, used)
            await spender.settle(reservation, { 'micro-usd': used })
          } else if (what === 'extend' && reservations.length > 0) {
            const { reservation, window } = reservations.splice(nth % reservations.length, 1)[0]!
            const used = Math.min(7, reservation.hold['micro-usd']!)
            spend('tenant:default:micro-usd:5h', window, used)
            await spender.extend(reservation, { 'micro-usd': used }, { 'micro-usd': usd }).then(
              (more) => void reservations.push({ reservation: more, window: windowOf(more) }),
              async (error) => {
                tolerate(error)
                await spender.settle(reservation, { 'micro-usd': 0 })
              },
            )
          }
          await notice()
          if (what === 'look' || what === 'lose') {
            await platform.check()
            await checkLedger(use().owner)
          }
        }
        // What ends lets others begin.
        for (await worker.exchange(); worker.held.size > 0; await worker.exchange()) {
          await notice()
          const open = [...worker.held.values()]
          for (const lease of open) settleLease(lease.fence, 1_000)
          await worker.finish(open, () => ({ output: {}, wallSeconds: 1 }))
        }
        for (const { reservation, window } of reservations) {
          spend('tenant:default:micro-usd:5h', window, 1)
          await spender.settle(reservation, { 'micro-usd': 1 })
        }
        await spending.close()
        await platform.check()
        await checkLedger(use().owner)
        const rows = await allWindows(use().owner)
        expect(rows.filter((row) => row.held !== 0)).toEqual([])
        const found = rows.flatMap((row) => (row.spent === 0 ? [] : [[`${row.id} ${row.start}`, row.spent] as const]))
        const wanted = [...spent].filter(([, amount]) => amount > 0)
        expect(Object.fromEntries(found)).toEqual(Object.fromEntries(wanted))
      }),
      {
        numRuns: Number(process.env.WINDOW_RUNS ?? (use().kind === 'pglite' ? 2 : 5)),
        interruptAfterTimeLimit: 40_000,
        endOnFailure: true,
      },
    )
  })

  test('a lease that is open when its window ends takes nothing of the next', async () => {
    const { platform, spending, set } = start()
    await set('runs', '5h', 1)
    const worker = await platform.register()
    await platform.start(wideWorkflow(3))
    const [first] = await worker.take()
    expect(worker.held.size).toBe(1)
    await spending.upkeep.look()
    platform.advance(5 * hour)
    // The window is over: those who wait for it are told, and the next attempt begins the next window.
    await spending.upkeep.look()
    const [, second] = await worker.take()
    expect(worker.held.size).toBe(2)
    await platform.check()
    await worker.finish([first!], () => ({ output: {} }))
    const windows = async () => (await allWindows(use().owner)).map(({ held, spent }) => ({ held, spent }))
    expect(await windows()).toEqual([
      { held: 1, spent: 0 },
      { held: 0, spent: 1 },
    ])
    expect(worker.held.size).toBe(1)
    await worker.finish([second!], () => ({ output: {} }))
    expect(await windows()).toEqual([
      { held: 0, spent: 1 },
      { held: 0, spent: 1 },
    ])
    const shown = await spending.budgets.show(tenant, 'tenant:default:runs:5h')
    expect(shown).toMatchObject({ spent: 1, left: 0, windows: [{ held: 0, spent: 1, hardLimit: 1 }] })
    await spending.close()
    await platform.check()
  })

  test('what a version before has carried over is settled where it was carried to', async () => {
    const { platform, spending, set } = start()
    await set('wall-seconds', 'day', 600)
    const worker = await platform.register(1)
    await platform.start(wideWorkflow(2))
    const [lease] = await worker.take()
    // As that version rolled: the lease's hold moves on with the row, and the window that is over keeps what it has spent.
    await use().owner(`insert into budget_windows (tenant_id, budget_id, window_start, window_end, held, spent, metered, reported)
      select tenant_id, id, window_start, window_end, 0, 5, 0, 0 from budgets where time_window = 'day'`)
    await use().owner(`update budgets set window_start = window_start + interval '1 day', window_end = window_end + interval '1 day'
      where time_window = 'day'`)
    platform.advance(24 * hour)
    await worker.exchange([worker.report(lease!, { output: {}, wallSeconds: 3 })], { accept: false })
    const rows = await allWindows(use().owner)
    expect(rows.map(({ held, spent }) => ({ held, spent }))).toEqual([
      { held: 0, spent: 3_000 },
      { held: 0, spent: 5 },
    ])
    await spending.close()
  })

  test('what an attempt says it has spent counts in the window in which it was leased, and for its agent', async () => {
    const { platform, spending, set } = start()
    const { database } = platform
    await set('micro-usd', 'day', null)
    await set('runs', '5h', null)
    await spending.budgets.set(tenant, {
      ...{ scope: 'agent', scopeId: `${platform.runnerId}/a`, unit: 'micro-usd', window: 'total' },
      ...{ hardLimit: null, softLimit: null },
    })
    const worker = await platform.register(1)
    await platform.start('name: one\nsteps:\n  do: { command: [do], retry: { attempts: 2 } }\n')
    const [lease] = await worker.take()
    platform.advance(24 * hour)
    await spending.upkeep.look()
    const report = worker.report(lease!, { code: 'exit-code', exitCode: 1, retry: 'later' })
    const told = { ...report, usage: { ...report.usage, spending: { microUsd: 70 } } }
    const options = { database, prices: spending.prices, spendersOf: spendersOfTasks }
    await worker.exchange([told], { accept: false })
    // Sent twice, it counts once.
    await recordAttempts([told], options)
    await recordAttempts([told], options)
    const rows = (await allWindows(use().owner)).filter(({ id }) => id.endsWith(':micro-usd:day'))
    expect(rows.map(({ held, spent }) => ({ held, spent }))).toEqual([
      { held: 0, spent: 0 },
      { held: 0, spent: 70 },
    ])
    const [own] = await use().owner<{ spent: number }>(`select spent::int from budgets where scope = 'agent'`)
    expect(own).toEqual({ spent: 70 })
    await checkLedger(use().owner)
    await spending.close()
    await platform.check()
  })
})
