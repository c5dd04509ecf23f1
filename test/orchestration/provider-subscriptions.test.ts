import { expect, test } from 'vitest'
import { createSpending } from '../../src/app/spending.ts'
import {
  listProviderSubscriptions,
  removeProviderSubscription,
  reportSpendingOf,
  setBudget,
  setProviderSubscription,
  showBudget,
  showLedger,
} from '../../src/contract.ts'
import { ProviderSubscriptions } from '../../src/orchestration/quotas/provider-subscriptions.ts'
import { putSubscription, readSubscriptions } from '../../src/orchestration/quotas/provider-subscriptions-store.ts'
import type { AttemptSpending } from '../../src/orchestration/runners/exchange-contract.ts'
import { startApi } from '../support/api.ts'
import { eachDatabase } from '../support/databases.ts'
import { checkLedger } from '../support/ledger.ts'
import { TestPlatform, tenant } from '../support/platform.ts'
import type { TestWorker } from '../support/worker.ts'

const hour = 3_600_000

eachDatabase('subscriptions with providers', (use) => {
  function open() {
    const platform = new TestPlatform(use())
    const { database, parts, errors } = platform
    const onError = (error: unknown) => void errors.push(error)
    const spending = createSpending({ database, dispatch: parts.dispatch, prices: [], onCommit: () => {}, onError })
    const put = (name: string, terms: { window: string; tokens?: number; requests?: number; pools?: string[] }) =>
      database.forTenant(tenant).write(async (tx) => {
        const wish = { pools: ['default'], tokens: null, requests: null, ...terms }
        await putSubscription(tx, tenant, name, wish, database.clock.now())
      })
    const set = (window: '5h' | '7d' | 'total', hardLimit: number | null) =>
      spending.budgets.set(tenant, { scope: 'tenant', unit: 'subscription-share', window, hardLimit, softLimit: null })
    const show = (window: string) => spending.budgets.show(tenant, `tenant:default:subscription-ppm${window}`)
    return { platform, spending, put, set, show }
  }

  /** Ends what a worker holds over the port that runners use, which also records what was spent. */
  async function end(platform: TestPlatform, worker: TestWorker, spent: AttemptSpending | null): Promise<void> {
    const reports = [...worker.held.values()].map((lease) => {
      const report = worker.report(lease, { output: {} })
      return spent === null ? report : { ...report, usage: { ...report.usage, spending: spent } }
    })
    const request = { runnerId: worker.runnerId, reports, progress: [], holding: [], accept: false }
    const { runnerPort } = platform.parts
    // The answer was lost: the runner tells it again.
    await runnerPort.exchange(request, new AbortController().signal)
    await runnerPort.exchange(request, new AbortController().signal)
    worker.held.clear()
  }

  const steps = (count: number) =>
    `name: some\nsteps:\n${Array.from({ length: count }, (_, n) => `  s${n}: { command: [do] }\n`).join('')}`

  test('are drawn on by the attempts of their pools, once each, in the windows that budgets count', async () => {
    const { platform, spending, put, set, show } = open()
    await put('max', { window: '5h', tokens: 1_000_000 })
    await put('weekly', { window: '7d', tokens: 30_000_000, requests: 100 })
    await put('elsewhere', { window: '5h', tokens: 10, pools: ['another'] })
    await set('5h', 0.5)
    await set('7d', null)
    await set('total', null)
    const worker = await platform.register()
    await platform.start(steps(3))
    await worker.take()
    await end(platform, worker, { inputTokens: 100_000, outputTokens: 33_333, model: 'm' })
    // Three attempts: 399,999 of a million tokens; of the week 1.33 % of the tokens, but 3 % of the requests.
    const five = await show(':5h')
    expect(five).toMatchObject({ spent: 0.399999, left: 0.100001, byEnforcement: { reported: 0.399999 } })
    expect(five.subscriptions).toMatchObject([
      { name: 'elsewhere', usedShare: 0 },
      { name: 'max', window: '5h', usedShare: 0.399999 },
    ])
    expect(await show(':7d')).toMatchObject({ spent: 0.03, subscriptions: [{ name: 'weekly', usedShare: 0.03 }] })
    expect((await show('')).spent).toBe(0.429999)
    const entries = await spending.budgets.ledger(tenant, five.id, 10)
    expect(entries.map(({ purpose }) => purpose)).toEqual(Array(3).fill('subscription:max'))
    await checkLedger(use().owner)
    await platform.check()
    await spending.close()
  })

  test('that are used up stop what would start next, until the next window', async () => {
    const { platform, spending, put, set, show } = open()
    await put('max', { window: '5h' })
    await set('5h', 0.8)
    const worker = await platform.register(1)
    const run = await platform.start(steps(2))
    await worker.take()
    await end(platform, worker, { subscriptionPercent: 81.25 })
    expect(await show(':5h')).toMatchObject({ spent: 0.8125, left: 0 })
    await worker.take()
    const waiting = (await platform.tasks(run.id)).filter(({ state }) => state === 'waiting')
    expect(waiting.map(({ reason }) => reason)).toEqual(['budget:tenant:default:subscription-ppm:5h'])
    await spending.upkeep.look()
    platform.advance(5 * hour)
    await spending.upkeep.look()
    await worker.take()
    expect(worker.held.size).toBe(1)
    await end(platform, worker, { subscriptionPercent: 2 })
    expect(await show(':5h')).toMatchObject({ spent: 0.02, windows: [{ spent: 0.8125 }] })
    await checkLedger(use().owner)
    await platform.check()
    await spending.close()
  })

  test('by requests count attempts that tell nothing, and what metered calls took of them', async () => {
    const { platform, spending, put, set, show } = open()
    await put('calls', { window: '5h', requests: 8 })
    await set('5h', null)
    const worker = await platform.register()
    await platform.start(steps(2))
    await worker.take()
    await end(platform, worker, null)
    expect((await show(':5h')).spent).toBe(0.25)
    await platform.start(steps(1))
    await worker.take()
    await end(platform, worker, { metered: true, inputTokens: 50, requests: 3 })
    expect((await show(':5h')).spent).toBe(0.625)
    const [row] = await platform.database.forTenant(tenant).read((tx) => readSubscriptions(tx, tenant))
    expect(row).toMatchObject({ usedRequests: 5, usedTokens: 50, usedPpm: 625_000 })
    await spending.close()
  })

  test('that calls draw on by themselves are not drawn on again by the attempts that made the calls', async () => {
    const { platform, spending, put } = open()
    await put('max', { window: '5h', tokens: 1_000 })
    await put('other', { window: '5h', tokens: 1_000 })
    const now = platform.database.clock.now()
    const port = new ProviderSubscriptions(platform.database, new Set(['max']))
    const use = { tenant, pool: 'default', subscription: null, tokens: 100, requests: 1, percent: null, resetsAt: null }
    const draws = await platform.database.forTenant(tenant).write(async (tx) => {
      const locked = await port.lock(tx, [use])
      return [{ ...use, metered: true }, use].map((one) => locked.draw(one, now).map((draw) => draw.subscription))
    })
    expect(draws).toEqual([['other'], ['max', 'other']])
    await spending.close()
  })
})

eachDatabase(
  'the API of subscriptions',
  (use) => {
    test('sets, shows, draws on and removes them', async () => {
      const api = await startApi(use().db)
      const { owner } = api
      try {
        await owner.call(setBudget, {
          body: { scope: 'team', scopeId: 'core', unit: 'subscription-share', window: '5h', hardLimit: 1 },
        })
        const terms = { pools: ['claude'], window: '5h', tokens: 3_000_000 }
        const set = await owner.call(setProviderSubscription, { params: { name: 'max' }, body: terms })
        expect(set).toMatchObject({ name: 'max', requests: null, usedShare: 0, windowStart: null })
        const body = { id: 'x1', team: 'core', subscription: 'max', inputTokens: 1 }
        expect(await owner.call(reportSpendingOf, { body })).toMatchObject({
          recorded: true,
          subscriptionShare: 0.000001,
        })
        expect(await owner.call(reportSpendingOf, { body })).toMatchObject({ recorded: false, subscriptionShare: null })
        const told = { id: 'x2', team: 'core', subscription: 'max', subscriptionPercent: 30 }
        expect(await owner.call(reportSpendingOf, { body: told })).toMatchObject({ subscriptionShare: 0.299999 })
        const id = 'team:core:subscription-ppm:5h'
        expect(await owner.call(showBudget, { params: { id } })).toMatchObject({
          ...{ spent: 0.3, left: 0.7, unit: 'subscription-share' },
          subscriptions: [{ name: 'max', usedShare: 0.3 }],
        })
        const { items } = await owner.call(showLedger, { params: { id } })
        expect(items.map(({ spent }) => spent)).toEqual([0.299999, 0.000001])
        const listed = await owner.call(listProviderSubscriptions)
        expect(listed.items).toMatchObject([
          { name: 'max', usedShare: 0.3, toldShare: 0.3, usedTokens: 1, usedRequests: 2 },
        ])
        await expect(
          owner.call(setProviderSubscription, { params: { name: 'max' }, body: { ...terms, window: 'day' } }),
        ).rejects.toThrow('5h or 7d')
        expect(await owner.call(removeProviderSubscription, { params: { name: 'max' } })).toEqual({ removed: true })
        expect(await owner.call(removeProviderSubscription, { params: { name: 'max' } })).toEqual({ removed: false })
        expect(api.errors).toEqual([])
      } finally {
        await api.close()
      }
    })
  },
  { kinds: ['pglite'] },
)
