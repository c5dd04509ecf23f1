import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isAppError } from '../../src/foundation/kernel/errors.ts'
import type { TenantId } from '../../src/foundation/kernel/ids.ts'
import { BudgetUpkeep } from '../../src/orchestration/budgets/budget-upkeep.ts'
import { Spender } from '../../src/orchestration/budgets/spender.ts'
import type { Reservation } from '../../src/orchestration/budgets/spender-port.ts'
import { eachDatabase } from '../support/databases.ts'
import { checkLedger } from '../support/ledger.ts'
import { steerClock } from '../support/steered-clock.ts'

const tenant = 'default' as TenantId

/** What one caller does next: it asks, draws, settles, gives back, forgets, or its process dies. */
const action = fc.record({
  process: fc.nat(2),
  what: fc.oneof(
    { weight: 5, arbitrary: fc.constant('reserve' as const) },
    { weight: 3, arbitrary: fc.constant('settle' as const) },
    { weight: 2, arbitrary: fc.constant('extend' as const) },
    { weight: 1, arbitrary: fc.constant('release' as const) },
    { weight: 1, arbitrary: fc.constant('crash' as const) },
    { weight: 1, arbitrary: fc.constant('day' as const) },
    { weight: 1, arbitrary: fc.constant('look' as const) },
  ),
  run: fc.nat(2),
  usd: fc.nat(400),
  tokens: fc.nat(50),
  share: fc.integer({ min: 0, max: 100 }).map((percent) => percent / 100),
})

eachDatabase('the ledger under random interleavings and crashes', (use) => {
  test('adds up, and nothing that is metered goes beyond a hard limit', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(action, { minLength: 1, maxLength: 12 }), { minLength: 1, maxLength: 8 }),
        fc.record({
          root: fc.integer({ min: 0, max: 2_000 }),
          run: fc.integer({ min: 1, max: 900 }),
          day: fc.integer({ min: 1, max: 1_500 }),
        }),
        async (rounds, limits) => {
          await use().reset()
          const time = steerClock(use().db)
          const problems: unknown[] = []
          const onError = (error: unknown) => problems.push(error)
          const upkeep = new BudgetUpkeep({ database: time.database, onError })
          await use().owner(
            `insert into budgets (tenant_id, id, scope, scope_id, unit, hard_limit, time_window)
             values ('default', 'root', 'tenant', 'default', 'micro-usd', $1, 'total'),
               ('default', 'day', 'tenant', 'default', 'micro-usd', $3, 'day'),
               ('default', 'each', 'tenant', 'default', 'micro-usd', $2, 'run'),
               ('default', 'tokens', 'tenant', 'default', 'tokens', 200, 'total')`,
            [limits.root, limits.run, limits.day],
          )
          const start = () => ({
            spender: new Spender({ database: time.database, onError, pollMs: 20 }),
            held: [] as Reservation[],
          })
          const processes = [start(), start(), start()]
          const crashed: Spender[] = []
          // What the provider has charged: it forgets nothing, whoever dies.
          let charged = 0
          const usedOf = (reservation: Reservation, share: number) => ({
            'micro-usd': Math.floor(reservation.hold['micro-usd']! * share),
            tokens: Math.floor((reservation.hold.tokens ?? 0) * share),
          })
          const tolerate = (error: unknown) => {
            if (!isAppError(error, 'budget-refused') && !isAppError(error, 'reservation-ended')) throw error
          }
          for (const round of rounds) {
            await Promise.all(
              round.map(async ({ process, what, run, usd, tokens, share }) => {
                const own = processes[process]!
                if (what === 'look') return void (await upkeep.look())
                if (what === 'reserve') {
                  const hold = { 'micro-usd': usd, tokens }
                  const request = { tenant, scopes: { run: `r${run}` }, hold, enforcement: 'metered' } as const
                  const least = share > 0.7 ? { least: { 'micro-usd': Math.floor(usd / 4), tokens } } : {}
                  await own.spender.reserve({ ...request, ...least }).then((one) => own.held.push(one), tolerate)
                  return
                }
                if (what === 'day' || what === 'crash') return
                const reservation = own.held.shift()
                if (reservation === undefined) return
                const used = usedOf(reservation, share)
                if (what === 'release') return own.spender.release(reservation).catch(tolerate)
                charged += used['micro-usd']
                if (what === 'settle') return own.spender.settle(reservation, used).catch(tolerate)
                await own.spender.extend(reservation, used, { 'micro-usd': usd, tokens }).then(
                  (one) => own.held.push(one),
                  (error) => {
                    tolerate(error)
                    // Where it was refused, what was spent is on record; where it had ended, it is not.
                    const left = isAppError(error, 'budget-refused') ? { 'micro-usd': 0, tokens: 0 } : used
                    return own.spender.settle(reservation, left).catch(tolerate)
                  },
                )
              }),
            )
            for (const { what, process, share } of round) {
              if (what === 'day') time.advance(86_400_000)
              if (what !== 'crash') continue
              const { spender, held } = processes[process]!
              for (const reservation of held) charged += usedOf(reservation, share)['micro-usd']
              crashed.push(spender)
              processes[process] = start()
            }
            await checkLedger(use().owner)
          }
          // The living settle; the dead are found dead.
          for (const { spender, held } of processes) {
            await Promise.all(
              held.map((reservation) => {
                charged += usedOf(reservation, 1)['micro-usd']
                return spender.settle(reservation, usedOf(reservation, 1)).catch(tolerate)
              }),
            )
          }
          await Promise.all([...processes.map((one) => one.spender), ...crashed].map((spender) => spender.close()))
          time.advance(3_600_000)
          while (await upkeep.look()) await checkLedger(use().owner)
          await checkLedger(use().owner)
          const [sums] = await use().owner<{ held: number; spent: number; open: number }>(`
            select (select spent from budgets where id = 'root')::int as spent, (select sum(held) from budgets)::int as held,
              (select count(*) from reservations where ended_at is null)::int as open`)
          expect(sums).toMatchObject({ held: 0, open: 0 })
          // What nobody could tell counts in full: never less than was charged, never more than was allowed.
          expect(sums!.spent).toBeGreaterThanOrEqual(charged)
          expect(charged).toBeLessThanOrEqual(limits.root)
          expect(problems).toEqual([])
        },
      ),
      {
        numRuns: use().kind === 'pglite' ? 12 : Number(process.env.LEDGER_RUNS ?? 30),
        interruptAfterTimeLimit: 60_000,
        endOnFailure: true,
      },
    )
  }, 120_000)
})
