import { createHmac } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { pruneReceipts, releaseReceipts } from '../../src/external-api/webhooks/inbound/receipts-store.ts'
import {
  changeSource,
  createSource,
  listReceipts,
  rotateSource,
  routeReceipt,
  type SourceView,
  showSourceSecret,
  type WriteSource,
} from '../../src/external-api/webhooks/sources-contract.ts'
import { startWebhooks, stopWebhooks } from '../../src/external-api/webhooks/subscriptions-contract.ts'
import { tailPosition } from '../../src/foundation/runtime/cursors.ts'
import { readEvents } from '../../src/foundation/runtime/event-log.ts'
import { eventually } from '../../src/foundation/runtime/log.fixture.ts'
import { eachDatabase, openTestDatabase } from '../support/databases.ts'
import { tenant } from '../support/platform.ts'
import { githubHeaders, openWebhookPlatform, type WebhookPlatform } from './webhooks.fixture.ts'

const definitions = {
  deploy: `
name: deploy
inputs:
  sha: { type: string }
steps:
  go: { command: [deploy, "\${{ inputs.sha }}"] }
`,
}
const waiting = `
name: waiting
steps:
  answer: { wait: { event: review.given } }
`

type Source = Parameters<WebhookPlatform['client']['call']>[1]

function addSource(on: WebhookPlatform, source: Partial<WriteSource> & { name: string }): Promise<SourceView> {
  const body = { preset: 'github', ...source } as never
  return on.client.call(createSource, { body } as Source as never) as Promise<SourceView>
}

async function secretOf(on: WebhookPlatform, source: SourceView): Promise<string> {
  return (await on.client.call(showSourceSecret, { params: { id: source.id } })).secret!
}

interface Answer extends Record<string, unknown> {
  readonly status: number | string
  readonly headers: Headers
}

/** The answer with the fields of its body; the body's own `status` counts where it has one. */
async function post(
  on: WebhookPlatform,
  source: { path: string },
  body: string | Buffer,
  headers: object,
): Promise<Answer> {
  const answer = await fetch(on.url + source.path, { method: 'POST', body: body as never, headers: headers as never })
  return { status: answer.status, headers: answer.headers, ...((await answer.json()) as Record<string, unknown>) }
}

async function receipts(on: WebhookPlatform) {
  return (await on.client.call(listReceipts, { query: { limit: 100 } })).items
}

async function typesOf(on: WebhookPlatform): Promise<readonly string[]> {
  const { database } = on.platform
  const events = await database.asSystem('test').read(async (tx) => readEvents(tx, await tailPosition(tx), 1_000))
  return events.map(({ type }) => type)
}

async function ended(on: WebhookPlatform, count: number) {
  await eventually(async () => (await receipts(on)).filter((one) => one.endedAt !== null).length === count)
  return receipts(on)
}

eachDatabase('incoming webhooks', (use) => {
  test('a signed delivery starts a workflow, once, however often it comes', async () => {
    await using on = await openWebhookPlatform(use(), { definitions })
    const source = await addSource(on, {
      name: 'gh',
      rules: [
        {
          when: "headers['x-github-event'] == 'push' && payload.ref == 'refs/heads/main'",
          start: { workflow: 'deploy', inputs: { sha: '${{ payload.after }}' }, labels: { from: 'hook' } },
        },
      ],
    })
    const secret = await secretOf(on, source)
    const body = JSON.stringify({ ref: 'refs/heads/main', after: 'abc123' })
    const first = await post(on, source, body, githubHeaders(body, secret, 'd-1'))
    expect(first).toMatchObject({ status: 'accepted' })
    const again = await Promise.all(
      Array.from({ length: 10 }, () => post(on, source, body, githubHeaders(body, secret, 'd-1'))),
    )
    expect(again.map(({ status }) => status)).toEqual(Array(10).fill('duplicate'))
    const [receipt] = await ended(on, 1)
    expect(receipt).toMatchObject({ state: 'routed', deliveryId: 'd-1', source: 'gh' })
    const run = await on.platform.run(receipt!.outcomes[0]!.runId!)
    expect(run).toMatchObject({
      workflow: 'deploy',
      inputs: { sha: 'abc123' },
      labels: { from: 'hook', webhook: receipt!.id },
    })

    const other = JSON.stringify({ ref: 'refs/heads/topic' })
    await post(on, source, other, githubHeaders(other, secret, 'd-2'))
    const both = await ended(on, 2)
    expect(both.find((one) => one.deliveryId === 'd-2')).toMatchObject({ state: 'ignored', outcomes: [] })
    expect(await use().owner('select count(*)::int as count from runs')).toEqual([{ count: 1 }])
    expect(on.errors).toEqual([])
  })

  test('each refusal has its status and its reason, and leaves nothing behind', async () => {
    await using on = await openWebhookPlatform(use())
    const source = await addSource(on, { name: 'gh', rate: { limit: 1_000, seconds: 60 } })
    const secret = await secretOf(on, source)
    const body = '{"n":1}'
    const good = githubHeaders(body, secret, 'd-1')
    const refusal = async (answer: Promise<Record<string, unknown>>) => {
      const { status, code } = await answer
      return `${status} ${code}`
    }
    expect(await refusal(post(on, { path: '/webhooks/whs_nowhere' }, body, good))).toBe('404 webhook-unknown')
    expect(await refusal(post(on, source, body, { ...good, 'x-hub-signature-256': '' }))).toBe(
      '401 webhook-signature-missing',
    )
    expect(await refusal(post(on, source, '{"n":2}', good))).toBe('401 webhook-signature-invalid')
    expect(await refusal(post(on, source, 'x'.repeat(1_048_577), good))).toBe('413 body-too-large')
    expect(await refusal(post(on, source, '{"n":', githubHeaders('{"n":', secret, 'd-2')))).toBe(
      '400 webhook-malformed',
    )
    const large = JSON.stringify({ n: 'x'.repeat(1_048_576 - 8) })
    expect(await post(on, source, large, githubHeaders(large, secret, 'd-3'))).toMatchObject({ status: 'accepted' })
    expect(await receipts(on)).toHaveLength(1)
  })

  test('what was signed is refused under another delivery id', async () => {
    await using on = await openWebhookPlatform(use())
    const hmac = { header: 'x-signature', idHeader: 'x-delivery', template: '{body}' } as never
    const source = await addSource(on, { name: 'own', preset: 'hmac', hmac })
    const secret = await secretOf(on, source)
    const signed = (body: string, id: string) => {
      const signature = createHmac('sha256', secret).update(body).digest('hex')
      return { 'content-type': 'application/json', 'x-signature': signature, 'x-delivery': id }
    }
    const body = '{"amount":100}'
    expect(await post(on, source, body, signed(body, 'd-1'))).toMatchObject({ status: 'accepted' })
    const replayed = await post(on, source, body, signed(body, 'd-2'))
    expect(replayed).toMatchObject({ status: 401, code: 'webhook-replayed' })
    const inOneBatch = await Promise.all(
      ['d-3', 'd-4', 'd-5'].map((id) => {
        const other = '{"amount":200}'
        return post(on, source, other, signed(other, id))
      }),
    )
    expect(inOneBatch.filter(({ status }) => status === 'accepted')).toHaveLength(1)
    expect(await receipts(on)).toHaveLength(2)
  })

  test('the 101st request in a minute is refused, and says when to come back', async () => {
    await using on = await openWebhookPlatform(use())
    const source = await addSource(on, { name: 'gh' })
    const secret = await secretOf(on, source)
    const answers = []
    for (let n = 1; n <= 101; n++) {
      const body = `{"n":${n}}`
      answers.push(await post(on, source, body, githubHeaders(body, secret, `d-${n}`)))
    }
    expect(answers.filter(({ status }) => status === 'accepted')).toHaveLength(100)
    expect(answers.at(-1)).toMatchObject({ status: 429, code: 'webhook-rate-limited' })
    const { headers } = answers.at(-1)!
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0)
    expect(headers.get('ratelimit-policy')).toContain('"ingress";q=100;w=60')
    expect(headers.get('ratelimit')).toMatch(/^"ingress";r=0;t=\d+$/)
    expect(answers[0]!.headers.get('ratelimit')).toMatch(/^"ingress";r=99;t=1$/)
  })

  test('stopped webhooks are refused with 503 and taken again afterwards', async () => {
    await using on = await openWebhookPlatform(use())
    const source = await addSource(on, { name: 'gh' })
    const secret = await secretOf(on, source)
    const send = (n: number) => {
      const body = `{"n":${n}}`
      return post(on, source, body, githubHeaders(body, secret, `d-${n}`))
    }
    expect(await send(1)).toMatchObject({ status: 'accepted' })
    expect((await on.client.call(stopWebhooks)).status).toBe('stopped')
    let n = 1
    await eventually(async () => (await send(++n)).code === 'webhooks-stopped')
    expect(await send(++n)).toMatchObject({ status: 503 })
    expect((await on.client.call(startWebhooks)).status).toBe('healthy')
    await eventually(async () => (await send(++n)).status === 'accepted')
  })

  test('a rule publishes an event, and another one ends the wait of one run', async () => {
    await using on = await openWebhookPlatform(use())
    const first = await on.platform.start(waiting)
    const second = await on.platform.start(waiting)
    const source = await addSource(on, {
      name: 'reviews',
      rules: [
        { resume: { run: '${{ payload.run }}', event: 'review.given', data: { verdict: '${{ payload.verdict }}' } } },
        { publish: { type: 'review.seen', subject: '${{ payload.run }}', data: { all: '${{ payload }}' } } },
      ],
    })
    const secret = await secretOf(on, source)
    const body = JSON.stringify({ run: first.id, verdict: 'good' })
    await post(on, source, body, githubHeaders(body, secret, 'd-1'))
    await eventually(async () => (await on.platform.run(first.id)).state === 'succeeded')
    expect((await on.platform.run(second.id)).state).toBe('waiting')
    await eventually(async () => (await typesOf(on)).includes('webhook.routed'))
    expect(await typesOf(on)).toEqual(expect.arrayContaining(['review.given', 'review.seen']))
  })

  test('a rule that cannot be carried out fails the receipt with its reason, and can be tried again', async () => {
    await using on = await openWebhookPlatform(use(), { definitions })
    const rules = [{ start: { workflow: 'nothing-of-that-name', inputs: {}, labels: {} } }]
    const source = await addSource(on, { name: 'gh', rules })
    const secret = await secretOf(on, source)
    const body = '{"after":"f00"}'
    await post(on, source, body, githubHeaders(body, secret, 'd-1'))
    const [failed] = await ended(on, 1)
    expect(failed).toMatchObject({ state: 'failed', error: { code: 'workflow-not-found' } })
    const mended = [{ start: { workflow: 'deploy', inputs: { sha: '${{ payload.after }}' }, labels: {} } }]
    await on.client.call(changeSource, {
      params: { id: 'gh' },
      body: { name: 'gh', preset: 'github', rules: mended } as never,
    })
    await on.client.call(routeReceipt, { params: { id: failed!.id } })
    const [routed] = await ended(on, 1)
    expect(routed).toMatchObject({ state: 'routed', error: null })
  })

  test('after a rotation both secrets are good until the overlap is over', async () => {
    await using on = await openWebhookPlatform(use())
    const source = await addSource(on, { name: 'gh' })
    const old = await secretOf(on, source)
    const { secret } = await on.client.call(rotateSource, { params: { id: 'gh' }, body: { overlapSeconds: 60 } })
    expect(secret).not.toBe(old)
    const send = (key: string, n: number) => {
      const body = `{"n":${n}}`
      return post(on, source, body, githubHeaders(body, key, `d-${n}`))
    }
    expect(await send(old, 1)).toMatchObject({ status: 'accepted' })
    await eventually(async () => (await send(secret!, 2)).status !== 401)
    on.platform.advance(61_000)
    await eventually(async () => (await send(old, 3)).code === 'webhook-signature-invalid')
  })

  test('Slack gets its challenge back, and events under the id they carry', async () => {
    await using on = await openWebhookPlatform(use())
    const source = await addSource(on, { name: 'slack', preset: 'slack', secrets: ['SLACK_SECRET'] })
    const send = (content: object) => {
      const body = JSON.stringify(content)
      const at = String(Math.floor(Date.now() / 1_000))
      const mac = createHmac('sha256', 'the secret called SLACK_SECRET').update(`v0:${at}:${body}`).digest('hex')
      const headers = { 'x-slack-signature': `v0=${mac}`, 'x-slack-request-timestamp': at }
      return post(on, source, body, { ...headers, 'content-type': 'application/json' })
    }
    expect(await send({ type: 'url_verification', challenge: 'c1' })).toMatchObject({ challenge: 'c1' })
    expect(await receipts(on)).toEqual([])
    const event = { type: 'event_callback', event_id: 'Ev1', event: { type: 'message' } }
    expect(await send(event)).toMatchObject({ status: 'accepted' })
    expect(await send({ ...event, retry: 1 })).toMatchObject({ status: 'duplicate' })
    expect((await receipts(on))[0]).toMatchObject({ deliveryId: 'Ev1' })
  })

  test('what a tenant had received when it was suspended waits, is told once, and is routed when it is back', async () => {
    let open = true
    await using on = await openWebhookPlatform(use(), { definitions, isOpen: async () => open })
    const source = await addSource(on, {
      name: 'gh',
      rules: [{ start: { workflow: 'deploy', inputs: { sha: 'x' }, labels: {} } }],
    })
    const secret = await secretOf(on, source)
    await post(on, source, '{"n":1}', githubHeaders('{"n":1}', secret, 'd-1'))
    await ended(on, 1)
    // The address is remembered as open; the router asks by itself.
    open = false
    await post(on, source, '{"n":2}', githubHeaders('{"n":2}', secret, 'd-2'))
    await eventually(async () => (await typesOf(on)).includes('webhook.held'))
    expect((await receipts(on)).find((one) => one.deliveryId === 'd-2')).toMatchObject({
      state: 'received',
      outcomes: [],
    })
    on.platform.advance(86_400_000)
    open = true
    const { database } = on.platform
    await database.forTenant(tenant).write((tx) => releaseReceipts(tx, tenant, database.clock.now()))
    const [receipt] = (await ended(on, 2)).filter((one) => one.deliveryId === 'd-2')
    expect(receipt).toMatchObject({ state: 'routed', outcomes: [{ action: 'start' }] })
    expect((await typesOf(on)).filter((type) => type === 'webhook.held')).toHaveLength(1)
    expect(on.errors).toEqual([])
  })

  test('two deliveries with the same bytes are two, where only the id tells them apart', async () => {
    await using on = await openWebhookPlatform(use())
    const source = await addSource(on, { name: 'gh' })
    const secret = await secretOf(on, source)
    const send = (id: string) => post(on, source, '{"zen":1}', githubHeaders('{"zen":1}', secret, id))
    expect(await send('d-1')).toMatchObject({ status: 'accepted' })
    expect(await send('d-2')).toMatchObject({ status: 'accepted' })
    expect(await send('d-1')).toMatchObject({ status: 'duplicate' })
    const { 'x-github-delivery': _, ...unnamed } = githubHeaders('{"zen":1}', secret, '')
    expect(await post(on, source, '{"zen":1}', unnamed)).toMatchObject({ status: 'accepted' })
    expect(await post(on, source, '{"zen":1}', unnamed)).toMatchObject({ status: 'duplicate' })
    expect(await receipts(on)).toHaveLength(3)
  })

  test('a suspended tenant is sent nothing, and what has ended is forgotten when it is old', async () => {
    let open = true
    await using on = await openWebhookPlatform(use(), { isOpen: async () => open })
    const source = await addSource(on, { name: 'gh' })
    const secret = await secretOf(on, source)
    const body = '{"n":1}'
    await post(on, source, body, githubHeaders(body, secret, 'd-1'))
    await ended(on, 1)
    const { database } = on.platform
    const prune = (before: Date) => database.asSystem('test').write((tx) => pruneReceipts(tx, before))
    expect(await prune(new Date(database.clock.now().getTime() - 3_600_000))).toBe(0)
    expect(await prune(new Date(database.clock.now().getTime() + 1_000))).toBe(1)
    expect(await receipts(on)).toEqual([])
    open = false
    on.platform.advance(3_000)
    expect(await post(on, source, body, githubHeaders(body, secret, 'd-2'))).toMatchObject({
      status: 503,
      code: 'webhooks-stopped',
    })
  })

  test('bad rules are refused when they are written', async () => {
    await using on = await openWebhookPlatform(use())
    const refused = (rules: unknown, code: string) =>
      expect(addSource(on, { name: 'x', rules: rules as never })).rejects.toMatchObject({ code })
    await refused([{ when: 'payload.', publish: { type: 'a.b' } }], 'webhook-rule-invalid')
    await refused([{ when: 'inputs.x', publish: { type: 'a.b' } }], 'webhook-rule-invalid')
    await refused([{ publish: { type: 'a.b', data: { x: '${{ steps.a }}' } } }], 'webhook-rule-invalid')
    await refused([{ publish: { type: 'run.succeeded' } }], 'webhook-type-reserved')
    await refused([{ resume: { run: 'r', event: 'webhook-subscription.disabled' } }], 'webhook-type-reserved')
    await expect(addSource(on, { name: 'x', secrets: ['HOME'] })).rejects.toMatchObject({
      code: 'webhook-rule-invalid',
    })
    await addSource(on, { name: 'x' })
    await expect(addSource(on, { name: 'x' })).rejects.toMatchObject({ code: 'webhook-name-taken' })
  })
})

describe('a database that is away', () => {
  test('is told as 503, so that the sender repeats', async () => {
    const use = await openTestDatabase('pglite')
    await using on = await openWebhookPlatform(use)
    const source = await addSource(on, { name: 'gh' })
    const secret = await secretOf(on, source)
    const first = '{"n":1}'
    expect(await post(on, source, first, githubHeaders(first, secret, 'd-1'))).toMatchObject({ status: 'accepted' })
    await use.close()
    const body = '{"n":2}'
    const answer = await post(on, source, body, githubHeaders(body, secret, 'd-2'))
    expect(answer).toMatchObject({ status: 503, code: 'webhook-not-stored' })
    expect(answer).not.toHaveProperty('detail')
  })
})
