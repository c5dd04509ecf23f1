import { afterAll, beforeAll, expect, it } from 'vitest'
import { openTestDatabase, type TestDatabase } from '../../../../test/support/databases.ts'
import type { TaskId, TenantId } from '../../../foundation/kernel/ids.ts'
import { PushInbox } from './push-inbox.ts'
import { readPushToken, signPushToken } from './push-token.ts'

const key = Buffer.alloc(32, 1)
const lease = { tenant: 'default' as TenantId, taskId: 'tsk_1' as TaskId, fence: 2 }

let use: TestDatabase
beforeAll(async () => {
  use = await openTestDatabase('pglite')
}, 120_000)
afterAll(() => use.close())

/** @param fence of the lease that works on the task now */
function inboxOf(fence: number, with_ = key): PushInbox {
  return new PushInbox({
    ...{ database: use.db, key: with_, url: () => 'https://fleet.example.org' },
    isLive: async (_, asked) => asked.taskId === lease.taskId && asked.fence === fence,
  })
}

it('a notification with the token of the live lease wakes whoever waits, on any replica', async () => {
  using here = inboxOf(2)
  using elsewhere = inboxOf(2)
  let woken = 0
  const { url, token, close } = here.open(lease, () => (woken += 1))
  expect(url).toBe('https://fleet.example.org/a2a/notifications')
  expect(await elsewhere.receive(token, Buffer.from('{"task":{}}'))).toBe('woken')
  await expect.poll(() => woken, { timeout: 10_000 }).toBe(1)
  // Sent again, it wakes nobody; news that are others do.
  expect(await elsewhere.receive(token, Buffer.from('{"task":{}}'))).toBe('duplicate')
  expect(await elsewhere.receive(token, Buffer.from('{"task":{"id":"x"}}'))).toBe('woken')
  await expect.poll(() => woken, { timeout: 10_000 }).toBe(2)
  close()
})

it('the token of a lost attempt is late, and that of nobody is none', async () => {
  using inbox = inboxOf(3)
  let woken = 0
  const { token } = inbox.open(lease, () => (woken += 1))
  const body = Buffer.from('{}')
  expect(await inbox.receive(token, body)).toBe('late')
  expect(await inbox.receive(null, body)).toBe('unauthenticated')
  expect(await inbox.receive(`${token}x`, body)).toBe('unauthenticated')
  const claims = readPushToken(key, token, use.db.clock.now())!
  expect(await inbox.receive(signPushToken(key, { ...claims, exp: claims.iat - 1 }), body)).toBe('unauthenticated')
  using foreign = inboxOf(2, Buffer.alloc(32, 9))
  expect(await foreign.receive(token, body)).toBe('unauthenticated')
  // A token says whose task it is: with another tenant's in it, it is signed by nobody.
  expect(await inbox.receive(signPushToken(Buffer.alloc(32, 9), { ...claims, ten: 'other' }), body)).toBe(
    'unauthenticated',
  )
  expect(woken).toBe(0)
})
