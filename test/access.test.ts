import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createClient } from '../src/client/index.ts'
import * as contract from '../src/contract.ts'
import { codeOf, makeTenant, startApi, type TestApi } from './support/api.ts'
import { type DatabaseKind, openTestDatabase, type TestDatabase } from './support/databases.ts'

const kinds: readonly DatabaseKind[] = ['pglite', 'postgres']

describe.each(kinds)('keys, members and tenants, on %s', (kind) => {
  let use: TestDatabase
  let api: TestApi

  beforeAll(async () => {
    use = await openTestDatabase(kind)
    api = await startApi(use.db, { work: true })
  }, 120_000)

  afterAll(async () => {
    await api.close()
    await use.close()
  })

  const clientOf = (token: string, tenant?: string) =>
    createClient({ url: api.server.localUrl, token, ...(tenant === undefined ? {} : { tenant }) })
  const me = (token: string) => clientOf(token).call(contract.whoAmI)
  const newTenant = () => makeTenant(api)

  describe('a key', () => {
    test('is shown once, and no row holds it', async () => {
      const { client } = await newTenant()
      const made = await client.call(contract.createKeyEndpoint, { body: { name: 'ci', role: 'operator' } })
      expect(made.key).toMatch(/^lvk_[0-9a-z]{12}_[\w-]{43}$/)
      expect(made.key.startsWith(`${made.prefix}_`)).toBe(true)
      expect(await me(made.key)).toMatchObject({ id: made.id, key: made.id })
      const shown = await client.call(contract.showKey, { params: { id: made.id } })
      expect(JSON.stringify([shown, await client.call(contract.listKeys)])).not.toContain(made.key.slice(-43))
      const dump = await use.owner<{ row: string }>('select k::text as row from access_keys k')
      expect(dump.some(({ row }) => row.includes(made.prefix))).toBe(true)
      expect(dump.some(({ row }) => row.includes(made.key.slice(-43)))).toBe(false)
    })

    test('with anything changed is no key', async () => {
      const { key } = await newTenant()
      const other = key.endsWith('A') ? 'B' : 'A'
      for (const wrong of [
        key.slice(0, -1) + other,
        key.slice(0, -1),
        `${key}A`,
        key.toUpperCase(),
        `lvr${key.slice(3)}`,
        'lvk_',
        '',
      ])
        expect(await codeOf(me(wrong)), wrong).toBe('unauthenticated')
    })

    test('is refused from the moment it is revoked, also where it was used just before', async () => {
      const { client } = await newTenant()
      const made = await client.call(contract.createKeyEndpoint, { body: { name: 'x' } })
      for (let i = 0; i < 5; i++) await me(made.key)
      const revoked = await client.call(contract.revokeKey, { params: { id: made.id } })
      expect(revoked).toMatchObject({ state: 'revoked', rev: 2 })
      expect(await codeOf(me(made.key))).toBe('unauthenticated')
      expect(await client.call(contract.revokeKey, { params: { id: made.id } })).toEqual(revoked)
      expect(await codeOf(client.call(contract.rotateKey, { params: { id: made.id } }))).toBe('key-not-active')
    })

    test('is followed by a successor with the same rights, and both are valid for the overlap', async () => {
      const { client } = await newTenant()
      const body = {
        name: 'x',
        role: 'operator' as const,
        scopes: ['runs:*', 'self:read'],
        networks: ['127.0.0.0/8', '::1'],
      }
      const old = await client.call(contract.createKeyEndpoint, { body })
      const next = await client.call(contract.rotateKey, { params: { id: old.id }, body: { overlap: 600 } })
      expect(next).toMatchObject({ ...body, rotatedFrom: old.id, name: 'x' })
      expect(next.key).not.toBe(old.key)
      expect((await me(old.key)).permissions).toEqual((await me(next.key)).permissions)
      const ending = await client.call(contract.showKey, { params: { id: old.id } })
      expect(Date.parse(ending.expiresAt!) - Date.now()).toBeLessThanOrEqual(601_000)
      await client.call(contract.rotateKey, { params: { id: next.id }, body: { overlap: 0 } })
      expect(await codeOf(me(next.key))).toBe('unauthenticated')
      expect(await client.call(contract.showKey, { params: { id: next.id } })).toMatchObject({ state: 'expired' })
    })

    test('does what its scopes and its role both allow', async () => {
      const { client } = await newTenant()
      const create = async (body: object) => {
        const made = await client.call(contract.createKeyEndpoint, { body: { name: 'x', ...body } })
        return clientOf(made.key)
      }
      const start = { body: { source: { text: 'name: a\nsteps: { s: { command: [echo] } }\n', fileName: 'a.yaml' } } }
      const viewer = await create({ role: 'viewer' })
      expect(await codeOf(viewer.call(contract.listRuns))).toBe('it was allowed')
      expect(await codeOf(viewer.call(contract.startRun, start))).toBe('forbidden')
      expect(await codeOf(viewer.call(contract.listKeys))).toBe('forbidden')
      const narrow = await create({ role: 'operator', scopes: ['runs:read'] })
      expect(await codeOf(narrow.call(contract.listRuns))).toBe('it was allowed')
      expect(await codeOf(narrow.call(contract.startRun, start))).toBe('forbidden')
      expect(await codeOf(narrow.call(contract.listApprovals))).toBe('forbidden')
      const wide = await create({ role: 'viewer', scopes: ['runs:*'] })
      expect(await codeOf(wide.call(contract.startRun, start))).toBe('forbidden')
    })

    test('is used from its networks alone', async () => {
      const { client } = await newTenant()
      const create = (networks: string[]) => client.call(contract.createKeyEndpoint, { body: { name: 'x', networks } })
      expect(await codeOf(me((await create(['10.0.0.0/8', '2001:db8::/32'])).key))).toBe('key-network-refused')
      expect(await codeOf(me((await create(['127.0.0.1'])).key))).toBe('it was allowed')
      expect(await codeOf(create(['10.0.0.0/33']))).toBe('key-networks-invalid')
      expect(await codeOf(create(['example.org']))).toBe('key-networks-invalid')
    })

    test('cannot be made to do more than whoever makes it', async () => {
      const { client } = await newTenant()
      const admin = clientOf(
        (await client.call(contract.createKeyEndpoint, { body: { name: 'a', role: 'admin' } })).key,
      )
      const make = (body: object) => codeOf(admin.call(contract.createKeyEndpoint, { body: { name: 'x', ...body } }))
      expect(await make({ role: 'operator' })).toBe('it was allowed')
      expect(await make({ role: 'owner' })).toBe('key-beyond-giver')
      expect(await make({ role: 'owner', scopes: ['runs:read'] })).toBe('it was allowed')
      expect(await make({ role: 'viewer', platform: true })).toBe('key-beyond-giver')
      expect(await make({ role: 'viewer', scopes: ['platform:*'] })).toBe('key-beyond-giver')
      expect(await make({ role: 'viewer', memberId: 'mem_none' })).toBe('member-not-found')
    })

    test('tells when it was used last, a little later', async () => {
      const { client } = await newTenant()
      const made = await client.call(contract.createKeyEndpoint, { body: { name: 'x' } })
      await me(made.key)
      const used = async () => (await client.call(contract.showKey, { params: { id: made.id } })).lastUsedAt
      await expect.poll(used, { timeout: 25_000, interval: 300 }).not.toBeNull()
    })

    test('of the very first start is made once, whoever starts', async () => {
      await use.owner(`delete from access_keys where kind = 'key'`)
      const made = await Promise.all([1, 2, 3, 4].map(() => api.server.createFirstKey()))
      const shown = made.filter((key) => key !== null)
      expect(shown).toHaveLength(1)
      expect(await me(shown[0]!)).toMatchObject({
        id: 'key_first',
        tenant: 'default',
        permissions: ['*', 'platform:*'],
      })
      expect(await api.server.createFirstKey()).toBeNull()
    })
  })

  test('a runner token fetches work, lives for minutes, and renews itself', async () => {
    const { client } = await newTenant()
    const first = await client.call(contract.createRunnerToken, { body: { name: 'box', expiresIn: 120 } })
    expect(first.token).toMatch(/^lvr_/)
    expect(await codeOf(clientOf(first.token).call(contract.listRuns))).toBe('forbidden')
    const second = await clientOf(first.token).call(contract.renewRunnerToken, { body: {} })
    expect(second).toMatchObject({ name: 'box' })
    expect(Date.parse(second.expiresAt) - Date.now()).toBeGreaterThan(800_000)
    const [old] = await use.owner<{ left: number }>(
      `select extract(epoch from expires_at - now())::int as left from access_keys where id = $1`,
      [first.id],
    )
    expect(old!.left).toBeLessThanOrEqual(61)
    expect(await codeOf(client.call(contract.renewRunnerToken))).toBe('not-a-runner')
    expect(await codeOf(client.call(contract.createRunnerToken, { body: { name: 'x', expiresIn: 7_200 } }))).toBe(
      'invalid-input',
    )
    // It is no key that people look at.
    expect((await client.call(contract.listKeys)).items.some(({ id }) => id === first.id)).toBe(false)
  })

  describe('a member', () => {
    test('has keys that go no further than its role, now and later', async () => {
      const { client } = await newTenant()
      const member = await client.call(contract.addMember, {
        body: { name: 'Ann', email: 'Ann@example.org', role: 'admin' },
      })
      const { key } = await client.call(contract.createKeyEndpoint, {
        body: { name: 'x', role: 'owner', memberId: member.id },
      })
      const theirs = clientOf(key)
      expect(await me(key)).toMatchObject({ id: member.id })
      expect(await codeOf(theirs.call(contract.listKeys))).toBe('it was allowed')
      await client.call(contract.changeMember, { params: { id: member.id }, body: { role: 'viewer' } })
      expect(await codeOf(theirs.call(contract.listKeys))).toBe('forbidden')
      expect(await codeOf(theirs.call(contract.listRuns))).toBe('it was allowed')
      await client.call(contract.removeMember, { params: { id: member.id } })
      expect(await codeOf(theirs.call(contract.listRuns))).toBe('unauthenticated')
      expect(await codeOf(client.call(contract.showMember, { params: { id: member.id } }))).toBe('member-not-found')
    })

    test('of the same address is refused, however it is written', async () => {
      const { client } = await newTenant()
      const add = (email: string) =>
        codeOf(client.call(contract.addMember, { body: { name: 'x', email, role: 'viewer' } }))
      expect(await add('ann@example.org')).toBe('it was allowed')
      expect(await add('ANN@example.org')).toBe('member-exists')
    })

    test('is changed on top of what was seen', async () => {
      const { client } = await newTenant()
      const { id } = await client.call(contract.addMember, { body: { name: 'Ann', role: 'viewer' } })
      const change = (name: string, ifMatch: string) =>
        codeOf(client.call(contract.changeMember, { params: { id }, body: { name }, ifMatch }))
      expect(await change('Bea', '"1"')).toBe('it was allowed')
      expect(await change('Cleo', '"1"')).toBe('precondition-failed')
      expect(await change('Cleo', '"2"')).toBe('it was allowed')
      expect(await client.call(contract.showMember, { params: { id } })).toMatchObject({ name: 'Cleo', rev: 3 })
    })

    test('who is the last owner stays one, also when two leave at once', async () => {
      const { client } = await newTenant()
      const add = async () => (await client.call(contract.addMember, { body: { name: 'o', role: 'owner' } })).id
      const [a, b] = [await add(), await add()]
      const ends = await Promise.all([
        codeOf(client.call(contract.removeMember, { params: { id: a } })),
        codeOf(client.call(contract.changeMember, { params: { id: b }, body: { role: 'viewer' } })),
      ])
      expect(ends.sort()).toEqual(['it was allowed', 'last-owner'])
    })

    test('cannot rise by its own hand', async () => {
      const { client } = await newTenant()
      const member = await client.call(contract.addMember, { body: { name: 'Ann', role: 'admin' } })
      const { key } = await client.call(contract.createKeyEndpoint, {
        body: { name: 'x', role: 'owner', memberId: member.id },
      })
      const theirs = clientOf(key)
      expect(
        await codeOf(theirs.call(contract.changeMember, { params: { id: member.id }, body: { role: 'owner' } })),
      ).toBe('member-beyond-giver')
      expect(await codeOf(theirs.call(contract.addMember, { body: { name: 'x', role: 'owner' } }))).toBe(
        'member-beyond-giver',
      )
      expect(await codeOf(theirs.call(contract.addMember, { body: { name: 'x', role: 'operator' } }))).toBe(
        'it was allowed',
      )
    })
  })

  describe('a tenant', () => {
    const body = { source: { text: 'name: a\nsteps: { s: { approval: { message: go } } }\n', fileName: 'a.yaml' } }

    test('that is suspended lets nobody in and pauses its runs; resumed, all goes on', {
      timeout: 90_000,
    }, async () => {
      const { key, client } = await newTenant()
      const { tenant } = await me(key)
      const run = await client.call(contract.startRun, { body })
      const suspended = await api.owner.call(contract.suspendTenant, {
        params: { id: tenant },
        body: { reason: 'unpaid' },
      })
      expect(suspended).toMatchObject({ state: 'suspended', reason: 'unpaid' })
      expect(await codeOf(me(key))).toBe('tenant-suspended')
      const above = clientOf(api.server.token, tenant)
      const stateOf = async () => (await above.call(contract.showRun, { params: { id: run.id } })).run.state
      expect(await stateOf()).toBe('paused')
      expect(await codeOf(api.owner.call(contract.suspendTenant, { params: { id: tenant } }))).toBe(
        'illegal-transition',
      )
      const late = (await above.call(contract.startRun, { body })).id
      const stateOfLate = async () => (await above.call(contract.showRun, { params: { id: late } })).run.state
      await expect.poll(stateOfLate, { timeout: 30_000, interval: 100 }).toBe('paused')
      await api.owner.call(contract.resumeTenant, { params: { id: tenant } })
      expect(await codeOf(me(key))).toBe('it was allowed')
      expect(await stateOf()).not.toBe('paused')
      await expect.poll(stateOfLate, { timeout: 30_000, interval: 100 }).not.toBe('paused')
    })

    test('that is deleted ends its runs, leaves nothing, and is never there again', async () => {
      const { key, client } = await newTenant()
      const { tenant } = await me(key)
      await client.call(contract.startRun, { body })
      const { items } = await api.owner.call(contract.listTenants, { query: { state: 'active' } })
      expect(items.map(({ id }) => id)).toContain(tenant)
      expect(await api.owner.call(contract.deleteTenant, { params: { id: tenant } })).toMatchObject({
        state: 'deleting',
      })
      expect(await codeOf(me(key))).toBe('unauthenticated')
      const show = () => api.owner.call(contract.showTenant, { params: { id: tenant } })
      await expect.poll(async () => (await show()).state, { timeout: 50_000, interval: 200 }).toBe('deleted')
      const { purge } = await show()
      expect(purge!.tables.runs).toEqual({ removed: 1, left: 0 })
      expect(Object.values(purge!.tables).every(({ left }) => left === 0)).toBe(true)
      expect(Object.keys(purge!.tables).length).toBeGreaterThan(20)
      expect(await codeOf(api.owner.call(contract.createTenant, { body: { id: tenant } }))).toBe('tenant-exists')
    })

    test('called default stays', async () => {
      for (const call of [contract.suspendTenant, contract.deleteTenant])
        expect(await codeOf(api.owner.call(call, { params: { id: 'default' } }))).toBe('tenant-default')
    })

    test('that is not there cannot be spoken for', async () => {
      expect(await codeOf(clientOf(api.server.token, 'nobody').call(contract.listRuns))).toBe('tenant-not-found')
    })
  })

  describe('a write with an Idempotency-Key', () => {
    const send = (token: string, key: string, name: string) =>
      api.server.inject({
        method: 'POST',
        url: '/api/v1/members',
        headers: { authorization: `Bearer ${token}`, 'idempotency-key': key },
        payload: { name, role: 'viewer' },
      })

    test('is done once, however often and however many at a time it comes', async () => {
      const { key, client } = await newTenant()
      const replies = await Promise.all(Array.from({ length: 20 }, () => send(key, 'k1', 'Ann')))
      const codes = new Set(replies.map(({ statusCode }) => statusCode))
      expect([...codes].filter((code) => code !== 201 && code !== 409)).toEqual([])
      const done = replies.filter(({ statusCode }) => statusCode === 201)
      expect(new Set(done.map(({ body }) => body)).size).toBe(1)
      for (const busy of replies.filter(({ statusCode }) => statusCode === 409))
        expect([busy.json().code, busy.headers['retry-after']]).toEqual(['idempotency-busy', '1'])
      expect((await client.call(contract.listMembers)).items).toHaveLength(1)
      const again = await send(key, 'k1', 'Ann')
      expect([again.statusCode, again.body, again.headers['idempotency-replayed']]).toEqual([
        201,
        done[0]!.body,
        'true',
      ])
      expect(again.headers.etag).toBe('"1"')
    })

    test('is refused with another body, and free for others', async () => {
      const { key } = await newTenant()
      const other = await newTenant()
      expect((await send(key, 'k1', 'Ann')).statusCode).toBe(201)
      expect((await send(key, 'k1', 'Bea')).json()).toMatchObject({ status: 422, code: 'idempotency-mismatch' })
      expect((await send(other.key, 'k1', 'Cleo')).statusCode).toBe(201)
      expect((await send(key, 'ä', 'Ann')).json()).toMatchObject({ code: 'request-malformed' })
    })

    test('keeps a refusal that will not change, and no other', async () => {
      const { key, client } = await newTenant()
      const bad = await send(key, 'k1', '')
      expect(bad.statusCode).toBe(400)
      expect((await send(key, 'k1', '')).headers['idempotency-replayed']).toBe('true')
      await client.call(contract.listMembers)
      const forbidden = await client.call(contract.createKeyEndpoint, { body: { name: 'v' } })
      expect((await send(forbidden.key, 'k2', 'Ann')).statusCode).toBe(403)
    })

    test('that made a secret does not show it again', async () => {
      const { key } = await newTenant()
      const make = () =>
        api.server.inject({
          method: 'POST',
          url: '/api/v1/keys',
          headers: { authorization: `Bearer ${key}`, 'idempotency-key': 'k1' },
          payload: { name: 'x' },
        })
      const first = await make()
      expect(first.statusCode).toBe(201)
      expect((await make()).json()).toMatchObject({ status: 409, code: 'idempotency-spent' })
      const rows = await use.owner<{ row: string }>('select r::text as row from idempotent_requests r')
      expect(rows.some(({ row }) => row.includes(first.json().key.slice(-43)))).toBe(false)
    })

    test('whose process died is done by the next, once its hold is over', async () => {
      const { key } = await newTenant()
      const { tenant } = await me(key)
      await send(key, 'k1', 'Ann')
      await use.owner(`update idempotent_requests set status = null, body = null, wrote = false where tenant_id = $1`, [
        tenant,
      ])
      expect((await send(key, 'k1', 'Ann')).json()).toMatchObject({ code: 'idempotency-busy' })
      await use.owner(`update idempotent_requests set held_until = now() - interval '1 second' where tenant_id = $1`, [
        tenant,
      ])
      expect((await send(key, 'k1', 'Bea')).json()).toMatchObject({ code: 'idempotency-mismatch' })
      expect((await send(key, 'k1', 'Ann')).statusCode).toBe(201)
    })

    test('that took effect without an answer is never done again', async () => {
      const { key, client } = await newTenant()
      const { tenant } = await me(key)
      await send(key, 'k1', 'Ann')
      const [row] = await use.owner<{ wrote: boolean }>(`select wrote from idempotent_requests where tenant_id = $1`, [
        tenant,
      ])
      expect(row).toEqual({ wrote: true })
      const set = (what: string) => use.owner(`update idempotent_requests set ${what} where tenant_id = $1`, [tenant])
      await set('status = null, body = null')
      expect((await send(key, 'k1', 'Ann')).json()).toMatchObject({ code: 'idempotency-busy' })
      await set(`held_until = now() - interval '1 second'`)
      expect((await send(key, 'k1', 'Ann')).json()).toMatchObject({ status: 409, code: 'idempotency-unknown' })
      expect((await client.call(contract.listMembers)).items).toHaveLength(1)
      await set(`expires_at = now() - interval '1 second'`)
      expect((await send(key, 'k1', 'Ann')).statusCode).toBe(201)
      expect((await client.call(contract.listMembers)).items).toHaveLength(2)
    })
  })
})
