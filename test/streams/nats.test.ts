import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { AckPolicy, jetstream, jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { afterEach, expect, test } from 'vitest'
import { type CloudEvent, cloudEventSchema } from '../../src/external-api/streams/cloud-event-contract.ts'
import { connectNats, NatsFeed, type NatsLink, relayState, startRelay } from '../../src/external-api/streams/index.ts'
import { consumerName, inboxPrefix, tenantPermissions } from '../../src/external-api/streams/nats/permissions.ts'
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

describeWhen(natsBinary, 'no nats-server is installed: apt-get install nats-server')('with NATS', () => {
  eachDatabase(
    'the relay',
    (use) => {
      test('publishes each event once, in order, under the subject of its tenant', async () => {
        await using nats = await startNats()
        const link = await connectNats({ url: nats.url, keepMs: 3_600_000, onError })
        const ticker = startTicker(use().db, { onError })
        const state = relayState()
        const relay = startRelay({ database: use().db, link, state, onError })
        await eventually(
          async () => (await use().owner(`select 1 from cursors where name = 'nats-relay'`)).length === 1,
        )
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
        await relay.stop()
        await ticker.stop()
        await link.close()
      })

      test('is killed at any place, and loses and doubles nothing', { timeout: 180_000 }, async () => {
        await using nats = await startNats()
        const link = await connectNats({ url: nats.url, keepMs: 3_600_000, onError })
        const ticker = startTicker(use().db, { onError })
        const first = startRelayProcess(use(), nats.url)
        await eventually(
          async () => (await use().owner(`select 1 from cursors where name = 'nats-relay'`)).length === 1,
          30_000,
        )
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
        await eventually(
          async () => (await use().owner(`select 1 from cursors where name = 'nats-relay'`)).length === 1,
        )
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

      test('outlives what a tenant has JetStream answer into the stream, and removes it', async () => {
        const { publish, subscribe } = tenantPermissions('a')
        const permissions = `publish: ${JSON.stringify(publish)}, subscribe: ${JSON.stringify(subscribe)}`
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
        const own = await connect({ servers: nats.url, user: 'a', pass: 'pw', inboxPrefix: inboxPrefix('a') })
        for (let n = 1; n <= 3; n++) {
          const before = await length()
          // The subject of the question is its own, that of the answer is anybody's.
          own.publish(`$JS.API.CONSUMER.INFO.LV.${consumerName('a')}`, '', { reply: 'lv.b.forged' })
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

  test('the credentials of a tenant read its events and no other’s', async () => {
    const users = ['a', 'b'].map((tenant) => {
      const { publish, subscribe } = tenantPermissions(tenant)
      return `{ user: "${tenant}", password: "pw", permissions: { publish: ${JSON.stringify(publish)}, subscribe: ${JSON.stringify(subscribe)} } }`
    })
    await using nats = await startNats(
      `authorization { users: [ { user: "relay", password: "pw" }, ${users.join(', ')} ] }`,
    )
    const url = nats.url.replace('://', '://relay:pw@')
    const link = await connectNats({ url, keepMs: 3_600_000, onError })
    for (const tenant of ['a', 'b']) {
      for (let n = 1; n <= 3; n++) await link.client.publish(`lv.${tenant}.thing.changed`, `${tenant}${n}`)
    }
    const own = await connect({ servers: nats.url, user: 'a', pass: 'pw', inboxPrefix: inboxPrefix('a') })
    const violations: string[] = []
    void (async () => {
      for await (const status of own.status()) if (status.type === 'error') violations.push(String(status.error))
    })()

    // From the stream, by the one consumer that it may have.
    const manager = await jetstreamManager(own, { checkAPI: false, timeout: 1_000 })
    const config = { name: consumerName('a'), filter_subject: 'lv.a.>', ack_policy: AckPolicy.Explicit }
    await manager.consumers.add('LV', config)
    const consumer = await jetstream(own).consumers.get('LV', consumerName('a'))
    const batch = await consumer.fetch({ max_messages: 10, expires: 1_000 })
    const texts: string[] = []
    for await (const message of batch) {
      texts.push(message.string())
      message.ack()
    }
    expect(texts).toEqual(['a1', 'a2', 'a3'])

    // Live, by its own subjects.
    const live: string[] = []
    own.subscribe('lv.a.>', { callback: (_, message) => void live.push(message.string()) })
    const spied: string[] = []
    for (const subject of ['lv.b.>', 'lv.>', 'lv.*.thing.changed', '>', `${inboxPrefix('b')}.>`]) {
      own.subscribe(subject, { callback: (error, message) => void (error === null && spied.push(message.string())) })
    }
    await own.flush()
    await link.client.publish('lv.a.thing.changed', 'a4')
    await link.client.publish('lv.b.thing.changed', 'b4')
    await eventually(() => live.includes('a4') && violations.length >= 5)
    expect(spied).toEqual([])

    // No way around: another filter, another consumer's name, the stream itself, or events of its own making.
    const attempts: (() => Promise<unknown>)[] = [
      () => manager.consumers.add('LV', { ...config, filter_subject: 'lv.b.>' }),
      () =>
        manager.consumers.add('LV', {
          name: consumerName('b'),
          filter_subject: 'lv.b.>',
          ack_policy: AckPolicy.Explicit,
        }),
      () => manager.consumers.add('LV', { name: consumerName('a'), ack_policy: AckPolicy.Explicit }),
      () => manager.streams.getMessage('LV', { last_by_subj: 'lv.b.>' }),
      () => manager.streams.info('LV'),
      () => manager.streams.purge('LV'),
      () => jetstream(own, { timeout: 1_000 }).publish('lv.a.thing.changed', 'forged'),
      // The subject says its own filter, the request another: the server compares them.
      () =>
        own
          .request(
            `$JS.API.CONSUMER.CREATE.LV.${consumerName('a')}.lv.a.>`,
            JSON.stringify({
              stream_name: 'LV',
              config: { name: consumerName('a'), filter_subject: 'lv.b.>', ack_policy: 'explicit' },
            }),
            { timeout: 1_000 },
          )
          .then((reply) => {
            const { error } = reply.json<{ error?: object }>()
            if (error !== undefined) throw new Error(JSON.stringify(error))
          }),
    ]
    for (const attempt of attempts) await expect(attempt()).rejects.toThrow()
    await own.close()
    await link.close()
  })
})
