import { expect, test } from 'vitest'
import { createKeyEndpoint, revokeKey } from '../src/contract.ts'
import { openDatabase } from '../src/foundation/platform/database/open-database.ts'
import { startApi } from './support/api.ts'
import { openTestDatabase } from './support/databases.ts'

test('two servers on one PostgreSQL know the same keys, the same answers and the same limits', {
  timeout: 120_000,
}, async () => {
  const use = await openTestDatabase('postgres')
  const second = await openDatabase({ kind: 'postgres', url: use.url!, poolSize: 4 })
  const yaml = 'rateLimits: { ip: none, failures: none, key: 40/10h, tenant: none, route: none }\n'
  const apis = await Promise.all([use.db, second].map((database) => startApi(database, { yaml })))
  const [a, b] = apis as [(typeof apis)[0], (typeof apis)[0]]
  try {
    const make = () => a.owner.call(createKeyEndpoint, { body: { name: 'x', role: 'admin' } })
    const ask = ({ server }: typeof a, key: string, payload?: object) =>
      server.inject({
        ...(payload === undefined ? { url: '/api/v1/whoami' } : { method: 'POST', url: '/api/v1/members', payload }),
        headers: { authorization: `Bearer ${key}`, 'idempotency-key': 'one' },
      })

    const revoked = await make()
    for (const api of apis) expect((await ask(api, revoked.key)).statusCode).toBe(200)
    await a.owner.call(revokeKey, { params: { id: revoked.id } })
    expect((await ask(a, revoked.key)).statusCode).toBe(401)
    await expect.poll(async () => (await ask(b, revoked.key)).statusCode, { timeout: 10_000 }).toBe(401)

    const { key: writer } = await make()
    const replies = await Promise.all(apis.map((api) => ask(api, writer, { name: 'Ann', role: 'viewer' })))
    const done = replies.filter(({ statusCode }) => statusCode === 201)
    expect(done.length).toBeGreaterThan(0)
    const again = await Promise.all(apis.map((api) => ask(api, writer, { name: 'Ann', role: 'viewer' })))
    for (const { statusCode, body } of again) expect([statusCode, body]).toEqual([201, done[0]!.body])

    const { key: busy } = await make()
    let passed = 0
    for (let i = 0; i < 60; i++) {
      const answers = await Promise.all(apis.map((api) => ask(api, busy)))
      passed += answers.filter(({ statusCode }) => statusCode === 200).length
    }
    // Never more than the limit; a slice that one of them still holds may be missing.
    expect(passed).toBeLessThanOrEqual(40)
    expect(passed).toBeGreaterThanOrEqual(36)
    const refused = await ask(a, busy)
    expect(refused.statusCode).toBe(429)
    expect(refused.headers).toMatchObject({
      'ratelimit-policy': '"key";q=40;w=36000',
      'retry-after': expect.any(String),
    })
  } finally {
    for (const api of apis) await api.close()
    await second.close()
    await use.close()
  }
})
