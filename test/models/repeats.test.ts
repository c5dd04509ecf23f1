import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { setModelSettings } from '../../src/contract.ts'
import { type ModelPlace, openModelPlace } from './models.fixture.ts'

let place: ModelPlace
let number = 0

beforeAll(async () => {
  place = await openModelPlace('pglite', { wait: '2s' })
})
beforeEach(async () => {
  await place.reset()
  await place.api.owner.call(setModelSettings, { body: { keepContents: false, keepDays: 1 } })
})
afterAll(() => place[Symbol.asyncDispose]())

const hello = { model: 'dear', max_tokens: 20, messages: [{ role: 'user', content: 'hello' }] }

/** A client that sends the same key with everything. */
function repeater(path = '/v1/chat/completions') {
  const { server } = place.api
  const headers = {
    ...{ authorization: `Bearer ${server.token}`, 'content-type': 'application/json' },
    'idempotency-key': `call ${++number}`,
  }
  return (body: object = hello, signal: AbortSignal | null = null) =>
    fetch(server.localUrl + path, { method: 'POST', headers, body: JSON.stringify(body), signal })
}

async function told(response: Response) {
  const { error } = (await response.json()) as { error: { code: string; message: string } }
  return [response.status, error.code]
}

const expire = () => place.use.owner(`update idempotent_requests set held_until = now() - interval '1 second'`)

test('a repeat of a call is neither sent nor counted again; its answer is nowhere kept', async () => {
  const id = await place.budget(10)
  place.openaiServer.script([{ reply: { text: 'some words', usage: { input: 2, output: 3 } } }])
  const send = repeater()
  const first = await send()
  expect([first.status, first.headers.get('idempotency-replayed')]).toEqual([200, null])
  const again = await send()
  expect([again.status, again.headers.get('idempotency-replayed')]).toEqual([409, 'true'])
  expect(again.headers.get('x-should-retry')).toBe('false')
  const { error } = (await again.json()) as { error: { code: string; message: string } }
  expect(error.code).toBe('idempotency-spent')
  expect(error.message).toContain(first.headers.get('x-request-id'))
  expect(error.message).toContain(first.headers.get('leanvibe-call'))
  expect(await told(await send({ ...hello, n: 2 }))).toEqual([422, 'idempotency-mismatch'])
  expect(place.openaiServer.seen).toHaveLength(1)
  const [call, ...others] = await place.calls(1)
  expect([call!.id, others]).toEqual([first.headers.get('leanvibe-call'), []])
  expect(await place.spent(id)).toEqual({ held: 0, spent: 320 })
  const rows = await place.use.owner<{ text: string }>('select r::text as text from idempotent_requests r')
  expect(rows.some(({ text }) => text.includes('words') || text.includes('hello'))).toBe(false)
})

test('where the tenant keeps answers, a repeat gets the first one, in either dialect', async () => {
  await place.api.owner.call(setModelSettings, { body: { keepContents: true, keepDays: 1 } })
  for (const [server, path, model] of [
    [place.openaiServer, '/v1/chat/completions', 'dear'],
    [place.anthropicServer, '/v1/messages', 'claude-haiku-4-5'],
  ] as const) {
    const send = repeater(path)
    const answers = [await send({ ...hello, model }), await send({ ...hello, model })]
    const [first, second] = await Promise.all(answers.map((answer) => answer.text()))
    expect([first, answers[1]!.status]).toEqual([second, 200])
    expect(answers.map(({ headers }) => headers.get('idempotency-replayed'))).toEqual([null, 'true'])
    expect(server.seen).toHaveLength(1)
  }
  const items = await place.calls(2)
  expect(items.filter(({ asked }) => asked === 'claude-haiku-4-5')).toHaveLength(1)
})

test('a streamed call is not done again either, from its first byte on', async () => {
  const { promise, resolve } = Promise.withResolvers<void>()
  place.openaiServer.script([{ reply: { text: 'a b c', gate: () => promise } }])
  const send = repeater()
  const stream = await send({ ...hello, stream: true })
  expect(await told(await send({ ...hello, stream: true }))).toEqual([409, 'idempotency-spent'])
  resolve()
  expect(await stream.text()).toContain('[DONE]')
  expect(await told(await send({ ...hello, stream: true }))).toEqual([409, 'idempotency-spent'])
  expect(place.openaiServer.seen).toHaveLength(1)
})

test('while the first is under way a repeat waits its turn, however long that takes', async () => {
  const { promise, resolve } = Promise.withResolvers<void>()
  place.openaiServer.script([{ reply: () => promise.then(() => ({ text: 'late' })) }])
  const send = repeater()
  const first = send()
  await place.openaiServer.arrived(1)
  const busy = await send()
  expect(busy.headers.get('retry-after')).not.toBe(null)
  expect(await told(busy)).toEqual([409, 'idempotency-busy'])
  // As after the death of the process that was at it.
  await expire()
  expect(await told(await send())).toEqual([409, 'idempotency-unknown'])
  resolve()
  expect((await first).status).toBe(200)
  expect(await told(await send())).toEqual([409, 'idempotency-spent'])
  expect(place.openaiServer.seen).toHaveLength(1)
})

test('what came to nothing is done by its repeat; what was counted is not, even where it was lost', async () => {
  place.openaiServer.script([
    { times: 1, reply: { status: 400, message: 'no such thing' } },
    { times: 1, reply: { status: 500 } },
    { times: 1, reply: { text: 'a b c d', dieAfter: 1 } },
  ])
  const refused = repeater()
  expect((await refused()).status).toBe(400)
  expect((await refused()).status).toBe(502)
  expect(await told(await refused())).toEqual([502, 'model-upstream-failed'])
  expect(await told(await refused())).toEqual([409, 'idempotency-unknown'])
  expect(place.openaiServer.seen).toHaveLength(3)

  // Of another model: what stands for the busy caller of the first lets more pass for two seconds.
  const poor = repeater()
  const plain = { ...hello, model: 'plain' }
  await place.budget(0.000001)
  expect(await told(await poor(plain))).toEqual([429, 'budget-refused'])
  await place.reset()
  expect((await poor(plain)).status).toBe(200)
})

test('a caller that hangs up has had its call', async () => {
  place.openaiServer.script([{ times: 1, reply: { hang: true } }])
  const send = repeater()
  const leave = new AbortController()
  const gone = send(hello, leave.signal).catch(() => null)
  const sent = await place.openaiServer.arrived(1)
  leave.abort()
  expect(await gone).toBe(null)
  await sent.cut
  await place.calls(1)
  await expect.poll(async () => told(await send())).toEqual([409, 'idempotency-unknown'])
  expect(place.openaiServer.seen).toHaveLength(1)
})
