import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, test } from 'vitest'
import { createSubscription } from '../../src/external-api/webhooks/subscriptions-contract.ts'
import { appendEvents } from '../../src/foundation/runtime/event-log.ts'
import { eventually } from '../../src/foundation/runtime/log.fixture.ts'
import { eachDatabase, type TestDatabase } from '../support/databases.ts'
import { tenant } from '../support/platform.ts'
import { openWebhookPlatform, startReceiver } from './webhooks.fixture.ts'

const program = fileURLToPath(new URL('deliverer-process.fixture.ts', import.meta.url))
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

function startDeliverer(use: TestDatabase, failpoints = ''): ChildProcess {
  const child = spawn(process.execPath, [program], {
    env: { PATH: process.env.PATH ?? '', DELIVERER_DATABASE_URL: use.url!, DELIVERER_FAILPOINTS: failpoints },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.add(child)
  return child
}

eachDatabase(
  'a deliverer that is killed',
  (use) => {
    test('loses nothing, queues nothing twice, and keeps the order of each subject', { timeout: 180_000 }, async () => {
      const perSubject = 25
      const subjects = ['a', 'b', 'c', 'd']
      await using receiver = await startReceiver()
      {
        // Makes the subscription and the durable reader's place, then goes: from here on only the processes deliver.
        await using on = await openWebhookPlatform(use())
        await on.client.call(createSubscription, {
          body: { name: 'sub', url: receiver.url, types: ['thing.*'] } as never,
        })
        const cursor = { text: "select 1 from cursors where name = 'webhooks-out'", values: [] }
        const hasCursor = async () =>
          (await on.platform.database.asSystem('test').read((tx) => tx.query(cursor))).length
        await eventually(async () => (await hasCursor()) === 1)
      }
      const { db } = use()
      for (let n = 1; n <= perSubject; n++) {
        await db.forTenant(tenant).write((tx) =>
          appendEvents(
            tx,
            subjects.map((id) => ({
              tenant,
              type: 'thing.changed',
              subject: { kind: 'thing', id, rev: n },
              runId: null,
              at: db.clock.now(),
              data: { n },
            })),
          ),
        )
      }
      const total = perSubject * subjects.length
      const count = async (where: string) =>
        (
          await use().owner<{ count: number }>(`select count(*)::int as count from webhook_deliveries where ${where}`)
        )[0]!.count
      // Each dies at another place: before the queue is committed, with deliveries claimed, with one sent but not noted.
      const places = ['commit.before.consumer-webhooks-out=kill', 'webhook.claimed=kill@2', 'webhook.sent=kill@3']
      for (const failpoints of [...places, 'webhook.sent=kill@20', 'commit.before.webhook-deliverer=kill@9']) {
        const child = startDeliverer(use(), failpoints)
        const [, signal] = await once(child, 'exit')
        expect(signal).toBe('SIGKILL')
      }
      const last = startDeliverer(use())
      await eventually(async () => (await count("state = 'delivered'")) === total, 90_000)
      await kill(last)

      expect(await count('true')).toBe(total)
      const seen = receiver.received.map(({ headers, body }) => {
        const { data } = JSON.parse(body) as { data: { subject: string; rev: number } }
        return { id: headers['webhook-id'] as string, subject: data.subject, rev: data.rev }
      })
      expect(new Set(seen.map(({ id }) => id)).size).toBe(total)
      for (const subject of subjects) {
        const revs = seen.filter((one) => one.subject === `thing/${subject}`).map(({ rev }) => rev)
        // A delivery may come again when its sender died before it could note it; none comes before an older one.
        const firsts = revs.filter((rev, n) => revs.indexOf(rev) === n)
        expect(firsts).toEqual(Array.from({ length: perSubject }, (_, n) => n + 1))
        expect(revs).toEqual([...revs].sort((x, y) => x - y))
      }
      expect(seen.length).toBeGreaterThan(total)
      const [attempts] = await use().owner<{ lost: number }>(
        `select count(*)::int as lost from webhook_attempts where error like 'whoever sent it was lost%'`,
      )
      expect(attempts!.lost).toBeGreaterThan(0)
    })
  },
  { kinds: ['postgres'] },
)
