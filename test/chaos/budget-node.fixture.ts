import { isAppError } from '../../src/foundation/kernel/errors.ts'
import type { TenantId } from '../../src/foundation/kernel/ids.ts'
import { seededRandom } from '../../src/foundation/kernel/random.ts'
import { openDatabase } from '../../src/foundation/platform/database/open-database.ts'
import { BudgetUpkeep } from '../../src/orchestration/budgets/budget-upkeep.ts'
import { Spender } from '../../src/orchestration/budgets/spender.ts'
import type { Amounts, Reservation } from '../../src/orchestration/budgets/spender-port.ts'

/** What the test asks of a node: so many callers, each with so many calls of a model, all of it from one seed. */
export interface Errand {
  readonly seed: number
  readonly callers: number
  readonly calls: number
  readonly runs: number
  readonly most: number
}

export type ToNode = { readonly errand: Errand } | { readonly charged: number } | { readonly end: true }
/** A call is charged by the provider, who lives in the test and survives every node. */
export type FromNode =
  | { readonly ready: true }
  | { readonly charge: number; readonly run: string; readonly microUsd: number; readonly tokens: number }
  | { readonly done: { readonly refused: number } }
  | { readonly failed: string }

const tenant = 'default' as TenantId
const send = (message: FromNode) => new Promise<void>((resolve) => process.send!(message, () => resolve()))
const onError = (error: unknown) => void send({ failed: String((error as Error).stack ?? error) })

const database = await openDatabase({
  kind: 'postgres',
  url: process.env.LEANVIBE_TEST_URL!,
  poolSize: 1,
  systemPoolSize: 3,
})
const open = new Map<number, () => void>()
let last = 0

function charge(run: string, microUsd: number, tokens: number): Promise<void> {
  return new Promise((resolve) => {
    open.set(++last, resolve)
    void send({ charge: last, run, microUsd, tokens })
  })
}

async function perform({ seed, callers, calls, runs, most }: Errand): Promise<{ refused: number }> {
  await using spender = new Spender({ database, heartbeatMs: 100, pollMs: 20, onError })
  let refused = 0
  const caller = async (n: number) => {
    const random = seededRandom(seed * 1_000 + n)
    const upTo = (limit: number) => Math.floor(random.next() * (limit + 1))
    for (let call = 0; call < calls; call++) {
      const run = `run_${upTo(runs - 1)}`
      const hold = { 'micro-usd': 1 + upTo(most), tokens: 1 + upTo(100) }
      const waitMs = random.next() < 0.3 ? upTo(200) : 0
      try {
        const least = random.next() < 0.5 ? { least: { 'micro-usd': 1, tokens: 1 } } : {}
        const scopes = { run, task: `task_${n}` }
        await spend(
          await spender.reserve({ tenant, scopes, hold, enforcement: 'metered', waitMs, ...least }),
          run,
          upTo,
        )
      } catch (error) {
        if (!isAppError(error, 'budget-refused')) throw error
        refused += 1
      }
    }
  }
  const spend = async (held: Reservation, run: string, upTo: (limit: number) => number) => {
    let reservation = held
    for (let turn = upTo(2); turn > 0; turn--) {
      const used = await draw(reservation, run, upTo)
      try {
        reservation = await spender.extend(reservation, used, { 'micro-usd': 1 + upTo(most), tokens: 1 + upTo(50) })
      } catch (error) {
        // Refused: what was spent is on record, and the rest of the hold is left. Ended: nothing of it is.
        if (isAppError(error, 'budget-refused')) return spender.release(reservation)
        if (isAppError(error, 'reservation-ended')) return settle(reservation, used)
        throw error
      }
    }
    if (upTo(9) === 0) return spender.release(reservation).catch(ended)
    await settle(reservation, await draw(reservation, run, upTo))
  }
  const settle = (reservation: Reservation, used: Amounts) => spender.settle(reservation, used).catch(ended)
  const draw = async (reservation: Reservation, run: string, upTo: (limit: number) => number): Promise<Amounts> => {
    const microUsd = upTo(reservation.hold['micro-usd']!)
    const tokens = upTo(reservation.hold.tokens!)
    await charge(run, microUsd, tokens)
    return { 'micro-usd': microUsd, tokens }
  }
  await Promise.all(Array.from({ length: callers }, (_, n) => caller(n)))
  return { refused }
}

function ended(error: unknown): void {
  if (!isAppError(error, 'reservation-ended')) throw error
}

const upkeep = new BudgetUpkeep({ database, silenceMs: 700, pollMs: 100, onError }).start()
process.on('message', (message: ToNode) => {
  if ('charged' in message) {
    open.get(message.charged)?.()
    open.delete(message.charged)
  } else if ('errand' in message) {
    perform(message.errand).then((done) => send({ done }), onError)
  } else {
    upkeep
      .stop()
      .then(() => database.close())
      .then(() => process.disconnect())
      .catch(onError)
  }
})
await send({ ready: true })
