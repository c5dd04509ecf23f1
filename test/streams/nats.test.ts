import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { jetstream } from '@nats-io/jetstream'
import { connect, type NatsConnection } from '@nats-io/transport-node'
import { afterEach, expect, test } from 'vitest'
import { type CloudEvent, cloudEventSchema } from '../../src/external-api/streams/cloud-event-contract.ts'
import { connectNats, NatsFeed, type NatsLink, relayState, startRelay } from '../../src/external-api/streams/index.ts'
import { consumerName, tenantAccess } from '../../src/external-api/streams/nats/tenant-access.ts'
import { makeTenantConsumer } from '../../src/external-api/streams/nats/tenant-consumers.ts'
import { tailStream } from '../../src/external-api/streams/streams-contract.ts'
import type { TenantId } from '../../src/foundation/kernel/ids.ts'
import { eventually } from '../../src/foundation/runtime/log.fixture.ts'
import { startTicker } from '../../src/foundation/runtime/ticker.ts'
import { eachDatabase, type TestDatabase } from '../support/databases.ts'
import { describeWhen } from '../support/when.ts'
import { natsBinary, startNats } from './nats-server.fixture.ts'
import { emit, numbered, numberOf, openStreamPlatform } from './streams.fixture.ts'

const program = fileURLToPath(new URL('relay-process.fixture.ts', import.meta.url))
const children = new Set<ChildProcess>()
afterEach(async () => {
  await Promise.all([...children].map(kill))
})

async function kill(child: ChildProcess): Promise<void> {
  children.delete(child)
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
}

function startRelayProcess(use: TestDatabase, natsUrl: string, failpoints = ''): ChildProcess {
  const env = {
    PATH: process.env.PATH ?? '',
    RELAY_DATABASE_URL: use.url!,
    RELAY_NATS_URL: natsUrl,
    RELAY_FAILPOINTS: failpoints,
  }
  const child = spawn(process.execPath, [program], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  children.add(child)
  return child
}

/** Everything in the stream, in its order. */
async function readStream({ client, manager }: NatsLink): Promise<CloudEvent[]> {
  const { state } = await manager.streams.info('LV')
  if (state.messages === 0) return []
  const consumer = await client.consumers.get('LV', { filter_subjects: 'lv.>' })
  const events: CloudEvent[] = []
  const messages = await consumer.consume()
  for await (const message of messages) {
    events.push(cloudEventSchema.parse(message.json()))
    if (message.seq === state.last_seq) messages.stop()
  }
  return events
}

const onError = (error: unknown) => {
  throw error
}

/** Until a relay has its place in the log: what is emitted from now on is for it. */
const relayed = (on: TestDatabase) =>
  eventually(async () => (await on.owner(`select 1 from cursors where name = 'nats-relay'`)).length === 1, 30_000)

/** A NATS server, and a relay of this process that publishes to it. */
async function startRelayed(on: TestDatabase) {
  await using made = new AsyncDisposableStack()
  const nats = made.use(await startNats())
  const link = await connectNats({ url: nats.url, keepMs: 3_600_000, onError })
  made.defer(() => link.close())
  const ticker = startTicker(on.db, { onError })
  made.defer(() => ticker.stop())
  const state = relayState()
  const relay = startRelay({ database: on.db, link, state, onError })
  made.defer(() => relay.stop())
  await relayed(on)
  const held = made.move()
  return { link, state, [Symbol.asyncDispose]: () => held.disposeAsync() }
}

describeWhen(natsBinary, 'no nats-server is installed: apt-get install nats-server')('with NATS', () => {
  eachDatabase(
    'the relay',
    (use) => {
      test('publishes each event once, in order, under the subject of its tenant', async () => {
        await using relay = await startRelayed(use())
        const { link, state } = relay
        await emit(use().db, ...numbered(1, 700), {
          id: 'x',
          type: 'deploy.finished',
          of: 'other' as TenantId,
          data: { n: 701 },
        })
        await eventually(() => state.published === 701)
        const events = await readStream(link)
        expect(events.map(numberOf)).toEqual(Array.from({ length: 701 }, (_, i) => i + 1))
        const last = await link.manager.streams.getMessage('LV', { last_by_subj: 'lv.other.>' })
        expect(last?.subject).toBe('lv.other.deploy.finished')
        expect(last?.header.get('Content-Type')).toBe('application/cloudevents+json')
        expect(last?.header.get('Nats-Msg-Id')).toBe(events.at(-1)!.id)
      })

      test('removes what a tenant had published once it is deleted', async () => {
        await using relay = await startRelayed(use())
        const { link, state } = relay
        const of = 'gone' as TenantId
        await emit(use().db, ...numbered(1, 2), { type: 'deploy.finished', of, data: { n: 3 } }, ...numbered(4, 4))
        await eventually(() => state.published === 4)
        await makeTenantConsumer(link, of)
        await emit(use().db, { id: of, type: 'tenant.deleted', data: { n: 5 } }, ...numbered(6, 7))
        await eventually(() => state.published === 7)
        expect((await readStream(link)).map(numberOf)).toEqual([1, 2, 4, 5, 6, 7])
        await expect(link.manager.consumers.info('LV', consumerName(of))).rejects.toThrow(/not found/)
      })

      test('is killed at any place, and loses and doubles nothing', { timeout: 180_000 }, async () => {
        await using nats = await startNats()
        const link = await connectNats({ url: nats.url, keepMs: 3_600_000, onError })
        const ticker = startTicker(use().db, { onError })
        const first = startRelayProcess(use(), nats.url)
        await relayed(use())
        await kill(first)
        let emitted = 0
        const add = async (count: number) => {
          await emit(use().db, ...numbered(emitted + 1, emitted + count))
          emitted += count
        }
        await add(300)
        // Sent but unsure, published but not noted, about to note: and then again in the middle of more.
        for (const failpoints of [
          'relay.sent=kill',
          'relay.published=kill',
          'commit.before.nats-relay=kill@2',
          'relay.sent=kill@3',
        ]) {
          const child = startRelayProcess(use(), nats.url, failpoints)
          await add(60)
          const [, signal] = await once(child, 'exit')
          expect(signal).toBe('SIGKILL')
        }
        // Two replicas at once, of which one is killed while both are at it.
        const [one, two] = [startRelayProcess(use(), nats.url), startRelayProcess(use(), nats.url)]
        for (let n = 0; n < 20; n++) await add(25)
        await kill(one)
        for (let n = 0; n < 20; n++) await add(25)
        const count = async () => (await link.manager.streams.info('LV')).state.messages
        await eventually(async () => (await count()) >= emitted, 60_000)
        await kill(two)
        const events = await readStream(link)
        expect(events.map(numberOf)).toEqual(Array.from({ length: emitted }, (_, i) => i + 1))
        await ticker.stop()
        await link.close()
      })

      test('feeds replicas, which read from the log what NATS does not bring', { timeout: 120_000 }, async () => {
        await using nats = await startNats()
        const { db } = use()
        const errors: unknown[] = []
        const link = await connectNats({ url: nats.url, keepMs: 3_600_000, onError: (error) => errors.push(error) })
        await using feed = await NatsFeed.start({
          database: db,
          link,
          lookMs: 200,
          onError: (error) => errors.push(error),
        })
        let relay = startRelay({ database: db, link, state: relayState(), onError: (error) => errors.push(error) })
        await relayed(use())
        await using on = await openStreamPlatform(db, { feed })
        const stop = new AbortController()
        const seen: number[] = []
        const reading = (async () => {
          const args = { query: { from: 'start' }, signal: stop.signal } as never
          for await (const { data } of on.client.events(tailStream, args)) seen.push(numberOf(data as CloudEvent))
        })()
        const expectAll = async (count: number) => {
          await eventually(() => seen.length >= count, 30_000)
          expect(seen).toEqual(Array.from({ length: count }, (_, i) => i + 1))
        }
        await emit(db, ...numbered(1, 100))
        await expectAll(100)
        // No relay: what is committed comes all the same, from the log.
        await relay.stop()
        await emit(db, ...numbered(101, 200))
        await expectAll(200)
        relay = startRelay({ database: db, link, state: relayState(), onError: (error) => errors.push(error) })
        await emit(db, ...numbered(201, 300))
        await expectAll(300)
        // No server for a while, and events that are too large for it.
        await nats.kill()
        await emit(db, ...numbered(301, 350))
        await expectAll(350)
        await nats.restart()
        await emit(db, { data: { n: 351, text: 'x'.repeat(1_200_000) } }, ...numbered(352, 400))
        await expectAll(400)
        // A server that has just come back may let a question go unanswered.
        const stored = () =>
          link.manager.streams.info('LV').then(
            ({ state }) => state.messages >= 400,
            (error) => {
              if (error instanceof Error && error.name === 'TimeoutError') return false
              throw error
            },
          )
        await eventually(stored, 60_000)
        stop.abort()
        await reading
        await relay.stop()
        await link.close()
      })

      test('outlives what a user with too many rights has JetStream answer into the stream, and removes it', async () => {
        const ask = `$JS.API.CONSUMER.INFO.LV.${consumerName('a')}`
        const permissions = `publish: ["${ask}"], subscribe: ["lv.a.>"]`
        await using nats = await startNats(
          `authorization { users: [ { user: relay, password: pw }, { user: a, password: pw, permissions: { ${permissions} } } ] }`,
        )
        const errors: unknown[] = []
        const tell = (error: unknown) => void errors.push(error)
        const url = nats.url.replace('://', '://relay:pw@')
        const link = await connectNats({ url, keepMs: 3_600_000, onError: tell })
        const { db } = use()
        await using feed = await NatsFeed.start({ database: db, link, lookMs: 60_000, onError: tell })
        const state = relayState()
        const relay = startRelay({ database: db, link, state, standbyMs: 10, onError: tell })
        await using on = await openStreamPlatform(db, { feed })
        const stop = new AbortController()
        const seen: number[] = []
        const reading = (async () => {
          const args = { query: { from: 'start' }, signal: stop.signal } as never
          for await (const { data } of on.client.events(tailStream, args)) seen.push(numberOf(data as CloudEvent))
        })()
        await emit(db, ...numbered(1, 3))
        await eventually(() => state.published === 3)
        const length = async () => (await link.manager.streams.info('LV')).state.last_seq
        const own = await connect({ servers: nats.url, user: 'a', pass: 'pw' })
        for (let n = 1; n <= 3; n++) {
          const before = await length()
          // The subject of the question is its own, that of the answer is anybody's.
          own.publish(ask, '', { reply: 'lv.b.forged' })
          await eventually(async () => (await length()) === before + 1)
        }
        await emit(db, ...numbered(4, 6))
        await eventually(() => state.published === 6 && seen.length === 6)
        expect(seen).toEqual([1, 2, 3, 4, 5, 6])
        expect((await readStream(link)).map(numberOf)).toEqual([1, 2, 3, 4, 5, 6])
        expect(errors.map(String)).toEqual(['Error: 3 messages of the stream LV were not from the relay'])
        stop.abort()
        await reading
        await own.close()
        await relay.stop()
        await link.close()
      })
    },
    { kinds: ['postgres'] },
  )

  /** Tenants a and b with accounts of their own, as `nats-access` prints it, and a user of a in that of the platform. */
  async function startTenants() {
    const [a, b] = [tenantAccess('a'), tenantAccess('b')]
    const user = (name: string, more = '') => `users: [ { user: ${name}, password: pw ${more} } ]`
    const nats = await startNats(`accounts {
      LEANVIBE {
        jetstream: enabled
        users: [ { user: relay, password: pw }, { user: live, password: pw, permissions: ${JSON.stringify(a.user)} } ]
        exports: ${JSON.stringify([...a.account.exports, ...b.account.exports])}
      }
      ${a.account.name} { ${user('a')}, imports: ${JSON.stringify(a.account.imports)} }
      ${b.account.name} { ${user('b')}, imports: ${JSON.stringify(b.account.imports)} }
    }`)
    const link = await connectNats({ url: nats.url.replace('://', '://relay:pw@'), keepMs: 3_600_000, onError })
    for (const tenant of ['a', 'b']) await makeTenantConsumer(link, tenant)
    return { nats, link, as: (name: string) => connect({ servers: nats.url, user: name, pass: 'pw' }) }
  }
  const hear = async (on: NatsConnection, ...subjects: string[]) => {
    const heard: string[] = []
    for (const subject of subjects) {
      on.subscribe(subject, { callback: (error, message) => void (error === null && heard.push(message.string())) })
    }
    await on.flush()
    return heard
  }
  const fill = async ({ client }: NatsLink) => {
    for (const tenant of ['a', 'b']) {
      for (let n = 1; n <= 3; n++) await client.publish(`lv.${tenant}.thing.changed`, `${tenant}${n}`)
    }
  }

  test('the account of a tenant reads its events, stored and live, and no other’s', async () => {
    const { nats, link, as } = await startTenants()
    await using _ = nats
    await fill(link)
    const own = await as('a')
    const heard = await hear(own, 'lv.>', `_INBOX.>`)
    const options = { apiPrefix: tenantAccess('a').account.apiPrefix, timeout: 2_000 }
    const consumer = await jetstream(own, options).consumers.get('LV', consumerName('a'))
    const texts: string[] = []
    for await (const message of await consumer.fetch({ max_messages: 3, expires: 2_000 })) {
      texts.push(message.string())
      expect(await message.ackAck()).toBe(true)
    }
    expect(texts).toEqual(['a1', 'a2', 'a3'])
    expect((await link.manager.consumers.info('LV', consumerName('a'))).num_ack_pending).toBe(0)
    await link.client.publish('lv.b.thing.changed', 'b4')
    await link.client.publish('lv.a.thing.changed', 'a4')
    await eventually(() => heard.includes('a4'))
    expect(heard.filter((text) => text.startsWith('b'))).toEqual([])
    await own.close()
    await link.close()
  })

  test('nor does it write anything that others see, whatever it asks and wherever answers are to go', async () => {
    const { nats, link, as } = await startTenants()
    await using _ = nats
    await fill(link)
    const [own, other] = [await as('a'), await as('b')]
    const seen = await hear(other, '>')
    const platform = await hear(link.connection, 'lv.>')
    const asks = ['INFO', 'MSG.NEXT', 'CREATE', 'DURABLE.CREATE', 'DELETE'].flatMap((what) =>
      ['a', 'b'].map((tenant) => `CONSUMER.${what}.LV.${consumerName(tenant)}`),
    )
    const streams = ['PURGE', 'DELETE', 'MSG.GET', 'INFO'].map((what) => `STREAM.${what}.LV`)
    const replies = ['lv.b.forged', '_INBOX.b', '$JS.API.STREAM.PURGE.LV', `$JS.ACK.LV.${consumerName('b')}.1.1.1.1.0`]
    for (const ask of [...asks, `CONSUMER.CREATE.LV.${consumerName('a')}.lv.a.>`, ...streams]) {
      for (const reply of replies) {
        for (const prefix of ['LV.API', '$JS.API']) {
          const config = { name: consumerName('a'), filter_subject: 'lv.a.>', deliver_subject: reply }
          own.publish(`${prefix}.${ask}`, JSON.stringify({ stream_name: 'LV', config }), { reply })
        }
      }
    }
    own.publish('lv.b.thing.changed', 'forged')
    own.publish('lv.a.thing.changed', 'forged')
    await own.flush()
    // What the platform publishes afterwards arrives behind all of it.
    await jetstream(own, { apiPrefix: 'LV.API' }).consumers.get('LV', consumerName('a'))
    const consumer = await link.manager.consumers.info('LV', consumerName('a'))
    expect(consumer.config.deliver_subject).toBeUndefined()
    await link.client.publish('lv.b.thing.changed', 'b4')
    await eventually(() => seen.includes('b4') && platform.includes('b4'))
    expect(seen).toEqual(['b4'])
    expect(platform).toEqual(['b4'])
    const { state } = await link.manager.streams.info('LV', { subjects_filter: 'lv.>' })
    expect(state).toMatchObject({ messages: 7, subjects: { 'lv.a.thing.changed': 3, 'lv.b.thing.changed': 4 } })
    await own.close()
    await other.close()
    await link.close()
  })

  test('a user of a tenant in the account of the platform hears its live events, and can ask and say nothing', async () => {
    const { nats, link, as } = await startTenants()
    await using _ = nats
    const own = await as('live')
    const violations: string[] = []
    void (async () => {
      for await (const status of own.status()) if (status.type === 'error') violations.push(String(status.error))
    })()
    const live = await hear(own, 'lv.a.>')
    const spied = await hear(own, 'lv.b.>', 'lv.>', 'lv.*.thing.changed', '>', '_INBOX.>', '$JS.>')
    own.publish('lv.a.thing.changed', 'forged')
    own.publish(`$JS.API.CONSUMER.MSG.NEXT.LV.${consumerName('a')}`, '1', { reply: 'lv.b.forged' })
    await own.flush()
    await fill(link)
    await eventually(() => live.length === 3 && violations.length >= 8)
    expect(live).toEqual(['a1', 'a2', 'a3'])
    expect(spied).toEqual([])
    expect((await link.manager.streams.info('LV')).state.messages).toBe(6)
    await own.close()
    await link.close()
  })
})
