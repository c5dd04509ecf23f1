import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import {
  listBudgets,
  listModelKeysEndpoint,
  listProviderSubscriptions,
  revokeModelKeyEndpoint,
  setBudget,
  setModelSettings,
  setProviderSubscription,
  showLedger,
  showModelCall,
  showRunModels,
  startRun,
} from '../../src/contract.ts'
import { checkLedger } from '../support/ledger.ts'
import { type ModelPlace, openModelPlace } from './models.fixture.ts'

let place: ModelPlace
const ask = [{ role: 'user', content: 'hello' }] as const
const chat = { model: 'dear', messages: [...ask] }

beforeAll(async () => {
  place = await openModelPlace('pglite', { wait: '2s' })
})
beforeEach(() => place.reset())
afterAll(() => place[Symbol.asyncDispose]())

const refusal = (call: Promise<unknown>) =>
  call.then(
    () => expect.unreachable(),
    (error) => error,
  )
async function settled(id: string) {
  const deadline = performance.now() + 10_000
  for (;;) {
    const budget = await place.spent(id)
    if (budget.held === 0) return budget
    if (performance.now() > deadline) throw new Error(`still ${budget.held} are held`)
  }
}
function gate() {
  const { promise, resolve } = Promise.withResolvers<void>()
  return { opened: promise, open: resolve }
}

describe('a call', () => {
  test('holds its worst case before it leaves, and settles by what came back', async () => {
    const id = await place.budget(10)
    const { opened, open } = gate()
    place.openaiServer.script([{ reply: () => opened.then(() => ({ text: 'a b c', usage: { input: 2, output: 3 } })) }])
    const answer = place.openai.chat.completions.create({ ...chat, max_completion_tokens: 1_000, n: 3 })
    const sent = await place.openaiServer.arrived(1)
    const { held } = await place.spent(id)
    // 3 answers of 1,000 tokens at 100, and no fewer input tokens than bytes at 10.
    expect(held).toBeGreaterThanOrEqual(300_000 + Buffer.byteLength(JSON.stringify(sent.body)) * 10)
    open()
    await answer
    expect(await settled(id)).toEqual({ held: 0, spent: 2 * 10 + 3 * 100 })
    const { items } = await place.api.owner.call(showLedger, { params: { id }, query: {} })
    expect(items).toMatchObject([{ state: 'settled', enforcement: 'metered', purpose: 'model:dear', spent: 320 }])
  })

  test('draws on the subscription that its account works on, once, for whoever it is made', async () => {
    const { owner } = place.api
    const share = { unit: 'subscription-share', window: '5h', hardLimit: 1 } as const
    const all = await owner.call(setBudget, { body: { scope: 'tenant', ...share } })
    const team = await owner.call(setBudget, { body: { scope: 'team', scopeId: 'core', ...share } })
    const terms = { pools: [], window: '5h', tokens: 1_000 }
    await owner.call(setProviderSubscription, { params: { name: 'max' }, body: terms })
    const { openai } = place.clients(await place.keyFor({ team: 'core' }))
    place.openaiServer.script([
      { times: 1, reply: { usage: { input: 60, output: 40 } } },
      { times: 1, reply: { usage: { input: 10, output: 15 } } },
      { times: 1, reply: { status: 400 } },
    ])
    await openai.chat.completions.create({ ...chat, model: 'plain' })
    await place.openai.chat.completions.create({ ...chat, model: 'plain' })
    await refusal(openai.chat.completions.create({ ...chat, model: 'plain' }))
    // An account without a subscription takes nothing of it.
    await openai.chat.completions.create(chat)
    await place.calls(4)
    expect((await place.spent(team.id)).spent).toBe(0.1)
    expect((await place.spent(all.id)).spent).toBe(0.125)
    const { items } = await owner.call(listProviderSubscriptions, {})
    expect(items).toMatchObject([{ name: 'max', usedShare: 0.125, usedTokens: 125, usedRequests: 2 }])
    const ledger = await owner.call(showLedger, { params: { id: team.id }, query: {} })
    expect(ledger.items).toMatchObject([{ enforcement: 'reported', purpose: 'subscription:max', spent: 0.1 }])
    await checkLedger(place.use.owner)
  })

  test('gets an output limit where something binds it, and none where nothing does', async () => {
    await place.openai.chat.completions.create(chat)
    await place.budget(10)
    await place.openai.chat.completions.create(chat)
    expect(place.openaiServer.seen.map(({ limit }) => limit)).toEqual([null, 8_192])
  })

  test('has its limit in the field that the account takes, whichever the caller named', async () => {
    await place.budget(10)
    for (const limits of [{ max_completion_tokens: 50 }, { max_tokens: 90_000, max_completion_tokens: 50 }]) {
      await place.openai.chat.completions.create({ ...chat, model: 'plain', ...limits })
      const { body } = place.openaiServer.seen.at(-1)!
      expect([body.max_tokens, body.max_completion_tokens]).toEqual([50, undefined])
    }
  })

  test('is cut shorter where less is left', async () => {
    const id = await place.budget(0.1)
    place.openaiServer.script([{ reply: { text: 'word '.repeat(5_000) } }])
    const { data, response } = await place.openai.chat.completions.create({ ...chat, max_tokens: 5_000 }).withResponse()
    const { limit } = place.openaiServer.seen[0]!
    expect(data.choices[0]?.finish_reason).toBe('length')
    expect(limit).toBeLessThan(900)
    expect(limit).toBeGreaterThan(500)
    expect(response.headers.get('leanvibe-output-limit')).toBe(String(limit))
    const { spent } = await settled(id)
    expect(spent).toBeGreaterThan(50_000)
    expect(spent).toBeLessThanOrEqual(100_000)
  })

  test('waits where not enough is left for it, until somebody gives back', async () => {
    const id = await place.budget(0.06)
    const { opened, open } = gate()
    place.openaiServer.script([{ times: 1, reply: () => opened.then(() => ({})) }])
    const first = place.openai.chat.completions.create({ ...chat, max_tokens: 260 })
    await place.openaiServer.arrived(1)
    const second = place.openai.chat.completions.create({ ...chat, max_tokens: 260 })
    await expect
      .poll(async () => (await place.use.owner(`select 1 from reservations where state = 'waiting'`)).length)
      .toBe(1)
    expect(place.openaiServer.seen).toHaveLength(1)
    open()
    await Promise.all([first, second])
    expect((await settled(id)).spent).toBeLessThanOrEqual(60_000)
  })

  test('is refused where nothing is left, and nothing leaves', async () => {
    const id = await place.budget(0.01)
    const started = performance.now()
    const error = await refusal(place.openai.chat.completions.create(chat))
    expect(error).toMatchObject({ status: 429, code: 'budget-refused', type: 'insufficient_quota' })
    expect(error.headers.get('x-should-retry')).toBe('false')
    const other = await refusal(
      place.anthropic.messages.create({
        model: 'dear',
        max_tokens: 5,
        messages: [...ask, { role: 'user', content: 'x'.repeat(900) }],
      }),
    )
    expect(other.error).toMatchObject({ error: { type: 'rate_limit_error', code: 'budget-refused' } })
    // What costs nothing is not held back.
    await place.anthropic.messages.countTokens({ model: 'claude-haiku-4-5', messages: [...ask] })
    expect(place.openaiServer.seen).toEqual([])
    expect(await settled(id)).toEqual({ held: 0, spent: 0 })
    expect(performance.now() - started).toBeLessThan(1_800)
  })

  test('that nobody can price is refused under a US$ budget, and only there', async () => {
    const fetched = { ...chat, model: 'gpt-4o', web_search_options: {} }
    await place.openai.chat.completions.create({ ...chat, model: 'unpriced' })
    await place.openai.chat.completions.create(fetched)
    const id = await place.budget(10)
    for (const request of [{ ...chat, model: 'unpriced' }, fetched]) {
      const error = await refusal(place.openai.chat.completions.create(request))
      expect(error).toMatchObject({ status: 403, code: 'model-unpriced' })
    }
    expect(place.openaiServer.seen).toHaveLength(2)
    expect(await settled(id)).toEqual({ held: 0, spent: 0 })
  })

  test('without a count, or with a death in the middle, counts as all that was held', async () => {
    const id = await place.budget(10)
    const request = { ...chat, max_tokens: 10 }
    place.openaiServer.script([
      { times: 1, reply: { usage: null } },
      { times: 1, reply: { text: 'a b c d', dieAfter: 3 } },
      { times: 1, reply: { text: 'a b c d', dieAfter: 1 } },
    ])
    await place.openai.chat.completions.create(request)
    const stream = await place.openai.chat.completions.create({ ...request, stream: true })
    const words: string[] = []
    const broken = await refusal(
      (async () => {
        for await (const chunk of stream) words.push(chunk.choices[0]?.delta.content ?? '')
      })(),
    )
    expect(broken.code).toBe('model-upstream-failed')
    expect(words.join('')).toBe('a b ')
    const lost = await refusal(place.openai.chat.completions.create(request))
    expect(lost).toMatchObject({ status: 502, code: 'model-upstream-failed' })
    const { spent } = await settled(id)
    const calls = await place.calls(3)
    expect(calls.map(({ outcome, counted, status }) => [outcome, counted, status])).toEqual([
      ['failed', false, null],
      ['failed', false, 200],
      ['answered', false, 200],
    ])
    expect(spent).toBe(calls.reduce((sum, call) => sum + call.heldMicroUsd, 0))
    await checkLedger(place.use.owner)
  })

  test('whose caller hangs up is cut at the provider, and counts as all that was held', async () => {
    const id = await place.budget(10)
    const { opened } = gate()
    let pieces = 0
    place.openaiServer.script([
      { times: 1, reply: { text: 'a b c d e', gate: () => (pieces++ < 3 ? Promise.resolve() : opened) } },
      { reply: { hang: true } },
    ])
    const leave = new AbortController()
    const stream = await place.openai.chat.completions.create({ ...chat, stream: true }, { signal: leave.signal })
    for await (const chunk of stream) {
      if (chunk.choices[0]?.delta.content?.startsWith('b')) leave.abort()
    }
    await (await place.openaiServer.arrived(1)).cut
    const whole = place.openai.chat.completions.create(chat, { signal: AbortSignal.timeout(300) })
    await refusal(whole)
    await (await place.openaiServer.arrived(2)).cut
    const calls = await place.calls(2)
    expect(calls.map(({ outcome, counted }) => [outcome, counted])).toEqual([
      ['cut', false],
      ['cut', false],
    ])
    expect((await settled(id)).spent).toBe(calls.reduce((sum, call) => sum + call.heldMicroUsd, 0))
    expect(place.api.errors).toEqual([])
  })
})

describe('accounts', () => {
  test('take over from each other: refused, failing, or gone', async () => {
    const id = await place.budget(10)
    for (const reply of [
      { status: 429, headers: { 'retry-after': '60' } },
      { status: 500 },
      { status: 503 },
      { status: 401 },
    ]) {
      place.openaiServer.reset([{ when: ({ headers }) => headers['x-account'] === undefined, reply }])
      const answer = await place.openai.chat.completions.create({ ...chat, model: 'gpt-4o' })
      expect(answer.choices[0]?.message.content).toBe('ok')
      expect(place.openaiServer.seen.at(-1)?.headers['x-account']).toBe('spare')
    }
    const calls = await place.calls(4)
    expect(calls.every(({ account, counted }) => account === 'spare' && counted)).toBe(true)
    expect((await settled(id)).spent).toBe(calls.reduce((sum, call) => sum + call.microUsd!, 0))
  })

  test('of another dialect take over, too', async () => {
    place.anthropicServer.script([{ reply: { status: 529 } }])
    const answer = await place.openai.chat.completions.create({ ...chat, model: 'smart', max_tokens: 20 })
    expect(answer.model).toBe('gpt-4o')
    const [call] = await place.calls(1)
    expect(call).toMatchObject({ asked: 'smart', model: 'gpt-4o', account: 'oa' })
  })

  test('that are all busy say until when', async () => {
    place.openaiServer.script([{ reply: { status: 429, headers: { 'retry-after': '30' } } }])
    const error = await refusal(place.openai.chat.completions.create(chat))
    expect(error).toMatchObject({ status: 429, code: 'model-busy', type: 'rate_limit_error' })
    expect(error.headers.get('retry-after')).toBe('30')
  })
})

describe('keys', () => {
  test('spend on the account of their run, and see no more than calls need', async () => {
    const source = { text: 'name: asks\nsteps:\n  ask:\n    approval: { message: go on }\n', fileName: 'asks.yaml' }
    const run = await place.api.owner.call(startRun, { body: { source, labels: { team: 'core' } } })
    await place.budget(5, { scope: 'run', scopeId: run.id })
    const { openai } = place.clients(await place.keyFor({ run: run.id, models: ['dea*'] }))
    await openai.chat.completions.create(chat)
    const denied = await refusal(openai.chat.completions.create({ ...chat, model: 'gpt-4o' }))
    expect(denied).toMatchObject({ status: 404, code: 'model-not-found' })
    const [call] = await place.calls(1)
    expect(call).toMatchObject({ runId: run.id, model: 'dear' })
    const { items } = await place.api.owner.call(listBudgets, { query: { scope: 'run' } })
    expect(items).toMatchObject([{ scopeId: run.id, spent: call!.microUsd }])
    const spending = await place.api.owner.call(showRunModels, { params: { id: run.id } })
    expect(spending).toMatchObject({ microUsd: call!.microUsd, items: [{ model: 'dear', account: 'oa', calls: 1 }] })
    for (const path of ['/api/v1/runs', '/api/v1/models/keys', '/api/v1/budgets']) {
      const reply = await place.api.server.inject({ url: path, headers: { authorization: `Bearer ${openai.apiKey}` } })
      expect([path, reply.statusCode]).toEqual([path, 403])
    }
  })

  test('that are revoked end their streams', async () => {
    const { openai } = place.clients(await place.keyFor({}))
    const { opened } = gate()
    let pieces = 0
    place.openaiServer.script([{ reply: { text: 'a b c', gate: () => (pieces++ < 2 ? Promise.resolve() : opened) } }])
    const stream = await openai.chat.completions.create({ ...chat, stream: true })
    const { items } = await place.api.owner.call(listModelKeysEndpoint, { query: {} })
    await place.api.owner.call(revokeModelKeyEndpoint, { params: { id: items[0]!.id } })
    const read = (async () => {
      for await (const _ of stream);
    })()
    await Promise.allSettled([read])
    await (await place.openaiServer.arrived(1)).cut
    const error = await refusal(openai.chat.completions.create(chat))
    expect(error.status).toBe(401)
  })
})

describe('a busy caller', () => {
  test('calls from a hold that stands, which is settled soon, and gives way to others at once', async () => {
    const id = await place.budget(2)
    const request = { ...chat, max_tokens: 500 }
    const { openai } = place.clients(await place.keyFor({ agent: 'busy' }))
    for (let n = 0; n < 12; n++) await openai.chat.completions.create(request)
    const calls = await place.calls(12)
    const total = calls.reduce((sum, call) => sum + call.microUsd!, 0)
    const rows = await place.use.owner(`select 1 from reservations`)
    expect(rows.length).toBeLessThan(12)
    // All but what was spent is to be had, though more was held a moment ago.
    const { limit } = await place.openai.chat.completions
      .create({ ...chat, max_tokens: 15_000 })
      .then(() => place.openaiServer.seen.at(-1)!)
    expect(limit).toBe(15_000)
    const [last] = await place.calls(13)
    expect((await settled(id)).spent).toBe(total + last!.microUsd!)
    await checkLedger(place.use.owner)
  })
})

describe('contents', () => {
  test('are kept where the tenant wants it, and nowhere else', async () => {
    const said = 'a secret of mine'
    const request = { ...chat, messages: [{ role: 'user' as const, content: said }] }
    await place.openai.chat.completions.create(request)
    const [first] = await place.calls(1)
    const none = await refusal(place.api.owner.call(showModelCall, { params: { id: first!.id } }))
    expect(none.code).toBe('model-call-not-found')
    await place.api.owner.call(setModelSettings, { body: { keepContents: true, keepDays: 1 } })
    place.openaiServer.script([{ reply: { text: 'naïve words' } }])
    const stream = await place.openai.chat.completions.create({ ...request, stream: true })
    for await (const _ of stream);
    const [second] = await place.calls(2)
    const kept = await place.api.owner.call(showModelCall, { params: { id: second!.id } })
    expect(kept.request).toContain(said)
    expect(kept.answer).toContain('naïve')
    const events = await place.use.owner<{ text: string }>(
      `select data::text as text from event_batches where type like 'model-call.%'`,
    )
    expect(events.length).toBeGreaterThan(0)
    expect(events.some(({ text }) => text.includes('secret') || text.includes('words'))).toBe(false)
  })
})
