import { TaskPushNotificationConfig } from '@a2a-js/sdk'
import { expect, test } from 'vitest'
import { openTestDatabase } from '../../../test/support/databases.ts'
import { systemIds, type TenantId } from '../../foundation/kernel/ids.ts'
import { createAddressGuard } from '../../foundation/platform/network/address-guard.ts'
import { startConsumer } from '../../foundation/runtime/consumer.ts'
import { appendEvents } from '../../foundation/runtime/event-log.ts'
import { startTicker } from '../../foundation/runtime/ticker.ts'
import { createSigningKeys } from '../webhooks/index.ts'
import { a2aServerErrors } from './a2a-server-errors.ts'
import { PushConfigs } from './push-configs.ts'
import { markPushesFromHere } from './pusher.ts'

test('what happens after a configuration was accepted is read by whoever tells of it, also where nobody did yet', async () => {
  const use = await openTestDatabase('pglite')
  const onError = (error: unknown) => expect.unreachable(String(error))
  const ticker = startTicker(use.db, { onError })
  const tenant = 'default' as TenantId
  try {
    const refusal = a2aServerErrors['a2a-push-url-refused']
    const configs = new PushConfigs({
      database: use.db,
      keys: createSigningKeys(Buffer.alloc(32, 1)),
      guard: createAddressGuard(['127.0.0.1/32'], { url: refusal, address: refusal }),
      ids: systemIds,
      ready: () => markPushesFromHere(use.db),
    })
    const read = (name: string) => {
      const seen: string[] = []
      const handle = async (_: unknown, events: readonly { readonly type: string }[]) =>
        void seen.push(...events.map(({ type }) => type))
      return { seen, reader: startConsumer(use.db, { name, handle, onError }) }
    }
    const witness = read('witness')
    const cursors = async () => (await use.owner<{ name: string }>('select name from cursors')).map(({ name }) => name)
    await expect.poll(cursors, { timeout: 15_000 }).toContain('witness')
    await configs.accept(TaskPushNotificationConfig.fromJSON({ url: 'http://127.0.0.1:1/' }))
    const subject = { kind: 'run', id: 'run_1', rev: 1 }
    const event = { tenant, type: 'run.running', subject, runId: null, at: use.db.clock.now(), data: {} }
    await use.db.forTenant(tenant).write((tx) => appendEvents(tx, [event]))
    // The end of the log is behind it by now: who begins there misses it.
    await expect.poll(() => witness.seen, { timeout: 15_000 }).toEqual(['run.running'])
    const late = read('a2a-pushes')
    await expect.poll(() => late.seen, { timeout: 15_000 }).toEqual(['run.running'])
    await Promise.all([witness.reader.stop(), late.reader.stop()])
  } finally {
    await ticker.stop()
    await use.close()
  }
})
