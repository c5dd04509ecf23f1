import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Client, createClient } from '../../src/client/index.ts'
import * as contract from '../../src/contract.ts'
import { codeOf, makeTenant, startApi, type TestApi } from '../support/api.ts'
import { type DatabaseKind, openTestDatabase, type TestDatabase } from '../support/databases.ts'

const kinds: readonly DatabaseKind[] = ['pglite', 'postgres']

describe.each(kinds)('groups of members, on %s', (kind) => {
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

  const newTenant = () => makeTenant(api)
  /** A member, with a client that is it. */
  async function member(client: Client, name: string, role: 'operator' | 'admin' = 'operator') {
    const email = `${name}@house.example`
    const { id } = await client.call(contract.addMember, { body: { name, email, role } })
    const { key } = await client.call(contract.createKeyEndpoint, { body: { name, role, memberId: id } })
    return { id, email, client: createClient({ url: api.server.localUrl, token: key }) }
  }
  const create = (client: Client, name: string) => client.call(contract.createMemberGroup, { body: { name } })
  const add = (client: Client, group: string, one: string) =>
    client.call(contract.addToMemberGroup, { params: { group, member: one } })
  const namesIn = async (client: Client, group: string) =>
    (await client.call(contract.showMemberGroup, { params: { group } })).members.map(({ name }) => name)

  test('are made, filled by id or address, emptied and removed; each change is an event', async () => {
    const { client } = await newTenant()
    const [ann, bob] = [await member(client, 'ann'), await member(client, 'bob')]
    const group = await create(client, 'leads')
    expect(await codeOf(create(client, 'leads'))).toBe('group-exists')
    expect(await codeOf(create(client, 'admin'))).toBe('group-name-reserved')
    await add(client, 'leads', ann.id)
    await add(client, 'leads', 'BOB@house.example')
    expect(await add(client, 'leads', bob.id)).toMatchObject({ rev: 3, members: [{ name: 'ann' }, { name: 'bob' }] })
    expect(await codeOf(add(client, 'leads', 'mem_none'))).toBe('member-not-found')
    expect(await codeOf(add(client, 'others', ann.id))).toBe('group-not-found')
    const listed = await client.call(contract.listMemberGroups, { query: { member: bob.email } })
    expect(listed.items.map(({ name }) => name)).toEqual(['leads'])
    await client.call(contract.removeFromMemberGroup, { params: { group: 'leads', member: ann.email } })
    expect(await namesIn(client, 'leads')).toEqual(['bob'])
    // Who is no member any more is in no group either.
    await client.call(contract.removeMember, { params: { id: bob.id } })
    expect(await namesIn(client, 'leads')).toEqual([])
    await client.call(contract.deleteMemberGroup, { params: { group: 'leads' } })
    expect(await codeOf(namesIn(client, 'leads'))).toBe('group-not-found')
    const events = await use.owner<{ type: string; rev: number }>(
      `select type, subject_rev as rev from events where subject_id = '${group.id}' order by subject_rev`,
    )
    expect(events.map(({ type, rev }) => `${rev} ${type}`)).toEqual([
      ...['1 group.created', '2 group.member-added', '3 group.member-added'],
      ...['4 group.member-removed', '5 group.member-removed', '6 group.deleted'],
    ])
  })

  test('are changed on top of what was seen, and by those alone who may change members', async () => {
    const { client } = await newTenant()
    const [ann, bob] = [await member(client, 'ann'), await member(client, 'bob')]
    await create(client, 'leads')
    await add(client, 'leads', ann.id)
    const late = client.call(contract.addToMemberGroup, { params: { group: 'leads', member: bob.id }, ifMatch: '"1"' })
    expect(await codeOf(late)).toBe('precondition-failed')
    expect(await codeOf(add(bob.client, 'leads', bob.id))).toBe('forbidden')
    expect(await namesIn(bob.client, 'leads')).toEqual(['ann'])
  })

  test('are nothing to other tenants, also where these have one of the same name', async () => {
    const [one, other] = [await newTenant(), await newTenant()]
    const ann = await member(one.client, 'ann')
    await create(one.client, 'leads')
    await create(other.client, 'leads')
    await add(one.client, 'leads', ann.id)
    expect(await codeOf(add(other.client, 'leads', ann.id))).toBe('member-not-found')
    expect(await namesIn(other.client, 'leads')).toEqual([])
  })

  test('say who may answer, at once and when nobody has', async () => {
    const { client } = await newTenant()
    const [ann, bob, eve] = [await member(client, 'ann'), await member(client, 'bob'), await member(client, 'eve')]
    await create(client, 'leads')
    await create(client, 'on-call')
    await add(client, 'leads', ann.id)
    await add(client, 'on-call', bob.id)
    const text = `name: agree
steps:
  now: { approval: { message: 'Now?', who: ['group:leads'] } }
  later: { approval: { message: 'Later?', who: ['group:leads'], escalate: { after: 1ms, to: ['group:on-call'] } } }
`
    const run = await client.call(contract.startRun, { body: { source: { text, fileName: 'agree.yaml' } } })
    const open = async () => {
      const { items } = await client.call(contract.listApprovals, { query: { run: run.id } })
      return new Map(items.map((item) => [item.step, item]))
    }
    const approve = (by: Client, id: string) => codeOf(by.call(contract.approve, { params: { id }, body: {} }))
    await expect.poll(async () => (await open()).get('later')?.level, { timeout: 30_000 }).toBe(1)
    const asked = await open()
    expect(await approve(eve.client, asked.get('now')!.id)).toBe('approval-not-yours')
    expect(await approve(bob.client, asked.get('now')!.id)).toBe('approval-not-yours')
    expect(await approve(bob.client, asked.get('later')!.id)).toBe('it was allowed')
    // Whoever leaves the group may not any more.
    await client.call(contract.removeFromMemberGroup, { params: { group: 'leads', member: ann.id } })
    expect(await approve(ann.client, asked.get('now')!.id)).toBe('approval-not-yours')
    await add(client, 'leads', ann.id)
    expect(await approve(ann.client, asked.get('now')!.id)).toBe('it was allowed')
  })
})
