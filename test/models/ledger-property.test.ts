import fc from 'fast-check'
import { expect, test } from 'vitest'
import { CallRecorder, ModelCatalog, ModelGateway } from '../../src/external-api/models/index.ts'
import { isAppError } from '../../src/foundation/kernel/errors.ts'
import type { TenantId } from '../../src/foundation/kernel/ids.ts'
import type { ModelPrice } from '../../src/foundation/kernel/model-price.ts'
import { shapeModels } from '../../src/foundation/platform/config/models.ts'
import type { Database } from '../../src/foundation/platform/database/database.ts'
import { BudgetUpkeep } from '../../src/orchestration/budgets/budget-upkeep.ts'
import { costAt, PriceTable } from '../../src/orchestration/budgets/prices/price-table.ts'
import { Spender } from '../../src/orchestration/budgets/spender.ts'
import { QuotaBroker } from '../../src/orchestration/quotas/quota-broker.ts'
import { ensureAccounts } from '../../src/orchestration/quotas/quotas-store.ts'
import { eachDatabase } from '../support/databases.ts'
import { checkLedger } from '../support/ledger.ts'
import { compose, ModelServer, type Reply, type SeenRequest } from '../support/model-server/index.ts'
import { steerClock } from '../support/steered-clock.ts'

const tenant = 'default' as TenantId
const price: ModelPrice = { model: 'dear', from: '2020-01-01', input: 3, output: 40, cacheRead: 1, cacheWrite: 5 }

/** What happens to a call: it is answered in one way or another, its caller leaves, or its process dies under it. */
const call = fc.record({
  process: fc.nat(1),
  stream: fc.boolean(),
  wire: fc.constantFrom('chat' as const, 'messages' as const),
  words: fc.nat(60),
  n: fc.integer({ min: 1, max: 3 }),
  limit: fc.option(fc.integer({ min: 1, max: 80 })),
  end: fc.constantFrom('answer', 'answer', 'answer', 'uncounted', 'die', 'fail', 'refuse', 'invalid', 'leave', 'kill'),
  after: fc.nat(4),
})
type Call = typeof call extends fc.Arbitrary<infer T> ? T : never

/** What the provider charges for a request, whatever becomes of its answer. */
function chargeOf(request: SeenRequest, reply: Reply): number {
  if ((reply.status ?? 200) >= 400) return 0
  const { usage } = compose(request, { ...reply, usage: reply.usage ?? {} })
  return costAt(price, { inputTokens: usage!.input, outputTokens: usage!.output })
}

function replyOf({ words, end, after }: Call): Reply {
  const text = 'w '.repeat(words)
  switch (end) {
    case 'uncounted':
      return { text, usage: null }
    case 'die':
      return { text, dieAfter: after }
    case 'fail':
      return { status: 503 }
    case 'refuse':
      return { status: 400 }
    case 'leave':
    case 'kill':
      return { text, everyMs: 3 }
    default:
      return { text }
  }
}

eachDatabase('model calls under random answers, hang-ups and kills', (use) => {
  test('never spend beyond a hard limit, and the ledger adds up to the micro-dollar', async () => {
    await using provider = await ModelServer.start()
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(call, { minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 3 }),
        fc.integer({ min: 0, max: 60_000 }),
        fc.constantFrom(1, 2, 1_000),
        async (rounds, limit, busyFrom) => {
          await use().reset()
          const time = steerClock(use().db)
          const problems: unknown[] = []
          const onError = (error: unknown) => {
            if (error !== died) problems.push(error)
          }
          await use().owner(
            `insert into budgets (tenant_id, id, scope, scope_id, unit, hard_limit, time_window)
             values ('default', 'root', 'tenant', 'default', 'micro-usd', $1, 'total'),
               ('default', 'tokens', 'tenant', 'default', 'tokens', 100000, 'total')`,
            [limit],
          )
          let charged = 0
          const calls = new Map<string, Call>()
          provider.reset([
            {
              reply: (request) => {
                const reply = replyOf(calls.get(request.said)!)
                charged += chargeOf(request, reply)
                return reply
              },
            },
          ])
          const start = () => startProcess(time.database, provider.url, busyFrom, onError)
          await ensureAccountsOf(time.database)
          const processes = [await start(), await start()]
          const dead: Process[] = []
          let next = 0
          for (const round of rounds) {
            await Promise.all(
              round.map(async (one) => {
                const name = `call ${++next}`
                calls.set(name, one)
                const leave = new AbortController()
                await perform(processes[one.process]!, one, name, leave).catch((error: unknown) => {
                  if (!isAppError(error) && error !== died) throw error
                })
              }),
            )
            for (const { end, process } of round) {
              if (end !== 'kill') continue
              processes[process]!.kill()
              dead.push(processes[process]!)
              processes[process] = await start()
            }
            await checkLedger(use().owner)
          }
          for (const one of [...processes, ...dead]) await one.close()
          const upkeep = new BudgetUpkeep({ database: time.database, onError })
          time.advance(4 * 3_600_000)
          while (await upkeep.look());
          await checkLedger(use().owner)
          const [sums] = await use().owner<Record<string, number>>(`
            select (select spent from budgets where id = 'root')::int as spent, (select sum(held) from budgets)::int as held,
              (select count(*) from reservations where ended_at is null)::int as open,
              (select coalesce(sum(r.spent[array_position(r.units, 'micro-usd')]), 0) from reservations r)::int as ledger,
              (select coalesce(sum(micro_usd), 0) from model_calls where outcome <> 'refused')::int as calls`)
          expect(sums).toMatchObject({ held: 0, open: 0, ledger: sums!.spent })
          // What the dead had no time to write down is missing in the lists, never in the ledger.
          if (dead.length === 0) expect(sums!.calls).toBe(sums!.spent)
          else expect(sums!.calls).toBeLessThanOrEqual(sums!.spent!)
          expect(sums!.spent).toBeLessThanOrEqual(limit)
          expect(charged).toBeLessThanOrEqual(sums!.spent!)
          expect(problems).toEqual([])
        },
      ),
      { numRuns: Number(process.env.LEDGER_RUNS ?? 8), interruptAfterTimeLimit: 40_000, endOnFailure: true },
    )
  })
})

const died = new Error('the process is dead')

/** A database that one process loses at the moment of its death: nothing of it is written any more. */
function mortal(database: Database): { readonly database: Database; kill(): void } {
  let alive = true
  const scoped = (scope: ReturnType<Database['asSystem']>): ReturnType<Database['asSystem']> => ({
    read: (work) => scope.read(work),
    write: (work) => (alive ? scope.write(work) : Promise.reject(died)),
  })
  return {
    database: {
      ...database,
      forTenant: (id) => scoped(database.forTenant(id)),
      asSystem: (reason) => scoped(database.asSystem(reason)),
    },
    kill: () => {
      alive = false
    },
  }
}

interface Process {
  readonly gateway: ModelGateway
  kill(): void
  close(): Promise<void>
}

function configOf(url: string) {
  return shapeModels(
    { accounts: { only: { provider: 'compatible', url, models: ['dear'] } }, output: 50, wait: 150 },
    [],
    () => {},
  )
}

async function ensureAccountsOf(database: Database): Promise<void> {
  const settings = { requestsPerMinute: null, tokensPerMinute: null, concurrent: 50 }
  const account = { id: 'only', provider: 'compatible', settings }
  await database.forTenant(tenant).write((tx) => ensureAccounts(tx, tenant, [account], database.clock.now()))
}

async function startProcess(
  whole: Database,
  url: string,
  busyFrom: number,
  onError: (error: unknown) => void,
): Promise<Process> {
  const { database, kill } = mortal(whole)
  const spender = new Spender({ database, onError, pollMs: 20 })
  const quotas = new QuotaBroker({ database, onError, sliceMs: 20 })
  const config = configOf(url)
  const recorder = new CallRecorder({ database, onError })
  const prices = new PriceTable([price], [])
  const gateway = new ModelGateway({
    ...{
      database,
      config,
      catalog: new ModelCatalog(config),
      spender,
      quotas,
      accountsOf: tenant,
      costAt,
      recorder,
      onError,
    },
    priceOf: (model, at) => prices.priceOf(model, at),
    leftOf: async () => null,
    onWarning: () => {},
    busyFrom,
    readSecret: async () => '',
  })
  const tolerate = (error: unknown) => {
    if (error !== died) throw error
  }
  return {
    gateway,
    kill,
    async close() {
      await gateway.close()
      await quotas.close().catch(tolerate)
      await spender.close().catch(tolerate)
    },
  }
}

/** The caller reads the answer to its end, or leaves after some pieces. */
async function perform({ gateway, kill }: Process, one: Call, said: string, leave: AbortController): Promise<void> {
  const { wire, stream, n, limit, end, after } = one
  const body = {
    ...{ model: end === 'invalid' ? 'none' : 'dear', stream, messages: [{ role: 'user', content: said }] },
    ...(wire === 'chat' && !stream ? { n } : {}),
    ...(limit === null ? (wire === 'messages' ? { max_tokens: 40 } : {}) : { max_tokens: limit }),
  }
  const reply = await gateway.call({
    ...{
      wire,
      tenant,
      key: null,
      keyId: null,
      headers: {},
      requestId: 'req',
      tookEffect: () => {},
      signal: leave.signal,
    },
    body: Buffer.from(JSON.stringify(body)),
  })
  if (typeof reply.body === 'string' || reply.body instanceof Uint8Array) return
  let pieces = 0
  for await (const _ of reply.body) {
    if ((end === 'leave' || end === 'kill') && pieces++ >= after) {
      if (end === 'kill') kill()
      leave.abort(new Error('gone'))
      break
    }
  }
}
