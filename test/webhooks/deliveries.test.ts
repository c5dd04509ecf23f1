import { expect, test } from 'vitest'
import { verifierOf } from '../../src/external-api/webhooks/inbound/presets.ts'
import { pruneDeliveries } from '../../src/external-api/webhooks/outbound/deliveries-store.ts'
import { hmacOptionsSchema } from '../../src/external-api/webhooks/sources-contract.ts'
import {
  changeSubscription,
  createSubscription,
  type DeliveryView,
  listDeliveries,
  redeliver,
  removeSubscription,
  replayDeliveries,
  rotateSubscription,
  type SubscriptionView,
  setSubscriptionState,
  showDelivery,
  showSubscription,
  showSubscriptionSecret,
  testSubscription,
  type WriteSubscription,
} from '../../src/external-api/webhooks/subscriptions-contract.ts'
import type { JsonValue } from '../../src/foundation/kernel/json.ts'
import { appendEvents } from '../../src/foundation/runtime/event-log.ts'
import { eventually } from '../../src/foundation/runtime/log.fixture.ts'
import { eachDatabase } from '../support/databases.ts'
import { tenant } from '../support/platform.ts'
import { openWebhookPlatform, type Received, startReceiver, type WebhookPlatform } from './webhooks.fixture.ts'

const hour = 3_600_000

function subscribe(on: WebhookPlatform, what: Partial<WriteSubscription> & { url: string }): Promise<SubscriptionView> {
  return on.client.call(createSubscription, { body: { name: 'sub', ...what } as never })
}

/** Commits events of subjects, one transaction each, as the platform does. */
async function emit(on: WebhookPlatform, ...events: readonly { id: string; type?: string; data?: JsonValue }[]) {
  const { database } = on.platform
  for (const { id, type = 'thing.changed', data = {} } of events) {
    await database.forTenant(tenant).write((tx) => {
      const subject = { kind: 'thing', id, rev: 1 }
      return appendEvents(tx, [{ tenant, type, subject, runId: null, at: database.clock.now(), data }])
    })
  }
}

async function deliveries(on: WebhookPlatform): Promise<readonly DeliveryView[]> {
  return (await on.client.call(listDeliveries, { query: { limit: 1_000 } })).items
}

/** The durable reader begins at the end of the log as it first finds it: events count from the first that is delivered. */
async function subscribed(on: WebhookPlatform, receiver: { received: Received[] }, which = 'sub'): Promise<void> {
  await on.client.call(testSubscription, { params: { id: which } })
  const isTest = (one: Received) => bodyOf(one).type === 'webhook.test'
  await eventually(() => receiver.received.some(isTest))
  await eventually(
    async () =>
      (
        await on.platform.database
          .asSystem('test')
          .read((tx) => tx.query({ text: "select 1 from cursors where name = 'webhooks-out'", values: [] }))
      ).length === 1,
  )
  await settled(on)
  expect(receiver.received.filter(isTest)).toHaveLength(1)
  receiver.received.length = 0
}

/** Once all that is to be delivered so far has been. */
async function settled(on: WebhookPlatform): Promise<void> {
  await eventually(async () => (await deliveries(on)).every(({ state }) => state === 'delivered'))
}

const bodyOf = (received: Received) =>
  JSON.parse(received.body) as { type: string; data: { subject: string; data: JsonValue } }

eachDatabase('outgoing webhooks', (use) => {
  test('carry the events that were asked for, signed by Standard Webhooks', async () => {
    await using receiver = await startReceiver()
    await using on = await openWebhookPlatform(use())
    const { id } = await subscribe(on, {
      url: receiver.url,
      types: ['thing.*'],
      filter: 'event.data.n > 1',
      signatures: ['v1', 'v1a'],
    })
    await subscribed(on, receiver)
    await emit(
      on,
      { id: 'a', data: { n: 1 } },
      { id: 'a', data: { n: 2 } },
      { id: 'a', data: {} },
      { id: 'b', type: 'other.changed' },
    )
    await emit(on, { id: 'b', data: { n: 3 } })
    await eventually(() => receiver.received.length === 2)
    expect(receiver.received.map((one) => bodyOf(one).data.subject).sort()).toEqual(['thing/a', 'thing/b'])
    const { secret, publicKey } = await on.client.call(showSubscriptionSecret, { params: { id } })
    const verify = verifierOf('standard-webhooks', { toleranceMs: 60_000, hmac: hmacOptionsSchema.parse({}) })
    for (const { headers, body } of receiver.received) {
      for (const key of [secret, publicKey]) {
        const request = { headers, body: Buffer.from(body) }
        expect(verify(request, [key], Date.now()).deliveryId).toBe(headers['webhook-id'])
      }
    }
    await settled(on)
    expect(on.errors).toEqual([])
  })

  test('are signed with old and new keys while keys are replaced', async () => {
    await using receiver = await startReceiver()
    await using on = await openWebhookPlatform(use())
    // Of the platform's own events, such as the one of a new key, some come before the durable reader begins.
    await subscribe(on, { url: receiver.url, types: ['thing.*'] })
    const old = await on.client.call(showSubscriptionSecret, { params: { id: 'sub' } })
    const young = await on.client.call(rotateSubscription, { params: { id: 'sub' }, body: { overlapSeconds: 3_600 } })
    await subscribed(on, receiver)
    await on.client.call(testSubscription, { params: { id: 'sub' } })
    await eventually(() => receiver.received.length >= 1)
    await settled(on)
    expect(receiver.received).toHaveLength(1)
    const { headers, body } = receiver.received[0]!
    const verify = verifierOf('standard-webhooks', { toleranceMs: 60_000, hmac: hmacOptionsSchema.parse({}) })
    for (const { secret } of [old, young]) verify({ headers, body: Buffer.from(body) }, [secret], Date.now())
    expect(young.secret).not.toBe(old.secret)
  })

  test('keep the order of each subject through failures, and let others pass', async () => {
    const fails = new Map<string, number>()
    await using receiver = await startReceiver((request, response) => {
      const { data } = bodyOf(request)
      const seen = fails.get(data.subject) ?? 0
      fails.set(data.subject, seen + 1)
      // The first two attempts for thing/slow fail.
      response.writeHead(data.subject === 'thing/slow' && seen < 2 ? 500 : 204).end()
    })
    await using on = await openWebhookPlatform(use())
    await subscribe(on, { url: receiver.url, types: ['thing.*'] })
    await subscribed(on, receiver)
    const numbers = Array.from({ length: 10 }, (_, n) => n)
    await emit(
      on,
      ...numbers.flatMap((n) => [
        { id: 'slow', data: { n } },
        { id: 'quick', data: { n } },
      ]),
    )
    const delivered = () => receiver.received.map(bodyOf)
    await eventually(() => delivered().filter(({ data }) => data.subject === 'thing/quick').length === 10)
    for (let round = 0; round < 3; round++) on.platform.advance(30_000)
    await eventually(async () => {
      on.platform.advance(1_000)
      return (await deliveries(on)).every(({ state }) => state === 'delivered')
    })
    const order = (subject: string) =>
      delivered()
        .filter(({ data }) => data.subject === subject)
        .map(({ data }) => (data.data as { n: number }).n)
    expect(order('thing/quick')).toEqual(numbers)
    expect(order('thing/slow')).toEqual([0, 0, ...numbers])
  })

  test('are tried for a day, then are dead letters; the subscription is switched off, with a notice', async () => {
    let broken = true
    await using receiver = await startReceiver((_, response) =>
      response.writeHead(broken ? 503 : 200, { 'content-type': 'text/plain' }).end('out of order'),
    )
    await using watcher = await startReceiver()
    await using on = await openWebhookPlatform(use())
    await subscribe(on, { url: receiver.url, types: ['thing.*'] })
    await subscribe(on, { url: watcher.url, name: 'watcher', types: ['webhook-subscription.*', 'webhook-delivery.*'] })
    await subscribed(on, watcher, 'watcher')
    await emit(on, { id: 'a' })
    const find = async () => (await deliveries(on)).find(({ type }) => type === 'thing.changed')
    for (let n = 1; ; n++) {
      await eventually(async () => ((await find())?.attempt ?? 0) >= n && (await find())!.state !== 'sending')
      if ((await find())!.state === 'dead') break
      expect(n).toBeLessThan(25)
      on.platform.advance(Date.parse((await find())!.dueAt!) - on.platform.database.clock.now().getTime() + 1)
    }
    const dead = (await find())!
    expect(dead).toMatchObject({ lastStatus: 503, lastError: 'answered 503' })
    const { attempts } = await on.client.call(showDelivery, { params: { id: dead.id } })
    expect(attempts).toHaveLength(dead.attempt)
    expect(attempts[0]).toMatchObject({ status: 503, excerpt: 'out of order', address: '127.0.0.1' })
    const passed = Date.parse(attempts.at(-1)!.at) - Date.parse(attempts[0]!.at)
    expect(passed).toBeGreaterThan(20 * hour)
    expect(passed).toBeLessThan(24 * hour)
    expect(await on.client.call(showSubscription, { params: { id: 'sub' } })).toMatchObject({
      state: 'disabled',
      reason: 'nothing was delivered for 20 hours',
    })
    await eventually(() => watcher.received.some((one) => bodyOf(one).type === 'webhook-subscription.disabled'))
    // What tells of a dead delivery is never itself delivered.
    expect(watcher.received.map((one) => bodyOf(one).type)).not.toContain('webhook-delivery.dead')

    broken = false
    await on.client.call(setSubscriptionState, { params: { id: 'sub' }, body: { state: 'active' } })
    await on.client.call(redeliver, { params: { id: dead.id } })
    await eventually(async () => (await find())!.state === 'delivered')
    expect(await on.client.call(showSubscription, { params: { id: 'sub' } })).toMatchObject({ failures: 0 })
  }, 120_000)

  test('stop at once where the receiver answers 410 Gone', async () => {
    await using receiver = await startReceiver((_, response, n) => response.writeHead(n === 1 ? 204 : 410).end())
    await using on = await openWebhookPlatform(use())
    await subscribe(on, { url: receiver.url, types: ['thing.*'] })
    await subscribed(on, receiver)
    receiver.received.push({ headers: {}, body: '' })
    await emit(on, { id: 'a' })
    await eventually(
      async () => (await on.client.call(showSubscription, { params: { id: 'sub' } })).state === 'disabled',
    )
    expect((await deliveries(on)).map(({ state }) => state).sort()).toEqual(['dead', 'delivered'])
  })

  test('a receiver that hangs holds up nobody else, and is given up in time', async () => {
    await using hanging = await startReceiver(() => {})
    await using good = await startReceiver()
    await using on = await openWebhookPlatform(use(), { timeoutMs: 300 })
    await subscribe(on, { url: hanging.url, name: 'hanging', types: ['thing.*'], ordering: 'parallel' })
    await subscribe(on, { url: good.url, name: 'good', types: ['thing.*'], ordering: 'parallel' })
    await subscribed(on, good, 'good')
    await emit(on, ...Array.from({ length: 40 }, (_, n) => ({ id: `t${n}` })))
    await eventually(() => good.received.length === 40)
    await eventually(
      async () => (await deliveries(on)).filter(({ state }) => state === 'retrying').length >= 40,
      20_000,
    )
    const [one] = (await deliveries(on)).filter(({ state }) => state === 'retrying')
    expect(one).toMatchObject({ lastStatus: null, lastError: 'no answer within 0.3 s' })
  })

  test('no redirect is followed, to a metadata address or anywhere', async () => {
    await using elsewhere = await startReceiver()
    await using receiver = await startReceiver((_, response, n) => {
      const location = n % 2 === 0 ? elsewhere.url : 'http://169.254.169.254/latest/meta-data/'
      response.writeHead(n === 1 ? 204 : 307, { location }).end()
    })
    await using on = await openWebhookPlatform(use())
    await subscribe(on, { url: receiver.url, types: ['thing.*'], ordering: 'parallel' })
    await subscribed(on, receiver)
    receiver.received.push({ headers: {}, body: '' })
    await emit(on, { id: 'a' }, { id: 'b' })
    await eventually(async () => (await deliveries(on)).filter(({ state }) => state === 'retrying').length === 2)
    const errors = (await deliveries(on)).map(({ lastError }) => lastError)
    expect(errors).toContain('answered 307, a redirect to http://169.254.169.254/latest/meta-data/ (not followed)')
    expect(elsewhere.received).toEqual([])
  })

  test('are refused to addresses inside, when they are written and when a name leads there', async () => {
    await using on = await openWebhookPlatform(use(), { allow: [] })
    for (const url of [
      'https://169.254.169.254/',
      'https://[::1]:8443/',
      'http://example.org/',
      'https://10.0.0.1/x',
    ]) {
      await expect(subscribe(on, { url })).rejects.toMatchObject({ code: 'webhook-url-refused' })
    }
    // A name is looked up when it is connected to, and this one leads to loopback.
    await subscribe(on, { url: 'https://localhost:9/' })
    const { id } = await on.client.call(testSubscription, { params: { id: 'sub' } })
    await eventually(async () => (await on.client.call(showDelivery, { params: { id } })).state === 'dead')
    const { attempts } = await on.client.call(showDelivery, { params: { id } })
    expect(attempts).toMatchObject([
      { status: null, address: null, error: expect.stringContaining('which is refused') },
    ])
  })

  test('wait while a subscription is paused, and are cancelled with it', async () => {
    await using receiver = await startReceiver()
    await using on = await openWebhookPlatform(use())
    await subscribe(on, { url: receiver.url, types: ['thing.*'] })
    await subscribed(on, receiver)
    await on.client.call(setSubscriptionState, { params: { id: 'sub' }, body: { state: 'paused' } })
    await emit(on, { id: 'a' }, { id: 'b' })
    await eventually(async () => (await deliveries(on)).filter(({ state }) => state === 'pending').length === 2)
    await on.client.call(setSubscriptionState, { params: { id: 'sub' }, body: { state: 'active' } })
    await eventually(() => receiver.received.length === 2)
    await on.client.call(setSubscriptionState, { params: { id: 'sub' }, body: { state: 'paused' } })
    await emit(on, { id: 'c' })
    await eventually(async () => (await deliveries(on)).some(({ state }) => state === 'pending'))
    await on.client.call(removeSubscription, { params: { id: 'sub' } })
    expect((await deliveries(on)).map(({ state }) => state)).toContain('cancelled')
    const { database } = on.platform
    const later = new Date(database.clock.now().getTime() + 1_000)
    expect(await database.asSystem('test').write((tx) => pruneDeliveries(tx, later))).toBe(4)
    expect(await deliveries(on)).toEqual([])
    expect(await use().owner('select 1 from webhook_attempts')).toEqual([])
  })

  test('are held while their tenant is suspended', async () => {
    let open = true
    await using receiver = await startReceiver()
    await using on = await openWebhookPlatform(use(), { isOpen: async () => open })
    await subscribe(on, { url: receiver.url, types: ['thing.*'] })
    await subscribed(on, receiver)
    open = false
    await emit(on, { id: 'a' })
    const held = async () => (await deliveries(on)).find(({ type }) => type === 'thing.changed')
    const dueLater = async () =>
      Date.parse((await held())?.dueAt ?? '') > on.platform.database.clock.now().getTime() + 30_000
    await eventually(async () => (await held())?.state === 'pending' && (await dueLater()))
    expect(receiver.received).toEqual([])
    open = true
    on.platform.advance(61_000)
    await eventually(async () => (await held())?.state === 'delivered')
    expect(await held()).toMatchObject({ attempt: 1 })
  })

  test('a range is sent again, the oldest first', async () => {
    await using receiver = await startReceiver()
    await using on = await openWebhookPlatform(use())
    await subscribe(on, { url: receiver.url, types: ['thing.*'] })
    await subscribed(on, receiver)
    on.platform.advance(hour)
    const from = on.platform.database.clock.now()
    await emit(on, ...Array.from({ length: 5 }, (_, n) => ({ id: 'a', data: { n } })))
    await eventually(async () => (await deliveries(on)).filter(({ state }) => state === 'delivered').length === 6)
    receiver.received.length = 0
    on.platform.advance(1_000)
    const replay = (states: readonly string[]) =>
      on.client.call(replayDeliveries, { params: { id: 'sub' }, body: { from: from.toISOString(), states } as never })
    expect(await replay(['dead'])).toEqual({ replayed: 0 })
    expect(await replay(['delivered'])).toEqual({ replayed: 5 })
    await eventually(() => receiver.received.length === 5)
    expect(receiver.received.map((one) => (bodyOf(one).data.data as { n: number }).n)).toEqual([0, 1, 2, 3, 4])
    await settled(on)

    // Signed anew with the keys of the day: both during the overlap, the new one alone afterwards.
    const verify = verifierOf('standard-webhooks', { toleranceMs: 60_000, hmac: hmacOptionsSchema.parse({}) })
    const old = await on.client.call(showSubscriptionSecret, { params: { id: 'sub' } })
    const young = await on.client.call(rotateSubscription, { params: { id: 'sub' }, body: { overlapSeconds: 3_600 } })
    const ids = receiver.received.map((one) => one.headers['webhook-id'])
    for (const good of [[old.secret, young.secret], [young.secret]]) {
      receiver.received.length = 0
      expect(await replay(['delivered'])).toMatchObject({ replayed: 5 })
      await eventually(() => receiver.received.length === 5)
      await settled(on)
      expect(receiver.received.map((one) => one.headers['webhook-id'])).toEqual(ids)
      const now = on.platform.database.clock.now().getTime()
      for (const { headers, body } of receiver.received) {
        const by = (secret: string) => () => verify({ headers, body: Buffer.from(body) }, [secret], now)
        for (const secret of good) expect(by(secret)).not.toThrow()
        if (!good.includes(old.secret)) expect(by(old.secret)).toThrow()
      }
      on.platform.advance(hour + 1_000)
    }
  })

  test('come as CloudEvents where that is wanted, and a change needs the present revision', async () => {
    await using receiver = await startReceiver()
    await using on = await openWebhookPlatform(use())
    const created = await subscribe(on, { url: receiver.url, types: ['thing.*'], format: 'cloudevents' })
    await subscribed(on, receiver)
    await emit(on, { id: 'a', data: { n: 1 } })
    await eventually(() => receiver.received.length >= 1)
    await settled(on)
    expect(receiver.received).toHaveLength(1)
    expect(receiver.received[0]!.headers['content-type']).toMatch(/^application\/cloudevents\+json/)
    expect(JSON.parse(receiver.received[0]!.body)).toMatchObject({
      specversion: '1.0',
      type: 'thing.changed',
      source: `/tenants/${tenant}`,
      subject: 'thing/a',
      data: { n: 1 },
    })
    const change = (etag: string) =>
      fetch(`${on.url}${changeSubscription.path.replace(':id', created.id)}`, {
        method: 'PUT',
        headers: { authorization: 'Bearer lvt_tests', 'content-type': 'application/json', 'if-match': etag },
        body: JSON.stringify({ name: 'sub', url: receiver.url }),
      })
    expect((await change('"1"')).status).toBe(200)
    expect((await change('"1"')).status).toBe(412)
  })
})
