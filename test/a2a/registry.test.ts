import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { checkRegistered, publishAgent, removeRegistered, searchRegistry, showRegistered } from '../../src/contract.ts'
import { type A2aPeer, startA2aPeer } from '../../src/orchestration/agents/a2a/a2a-peer.fixture.ts'
import { makeTenant, startApi, type TestApi } from '../support/api.ts'
import { openTestDatabase, type TestDatabase } from '../support/databases.ts'

describe('the registry of agents', () => {
  let use: TestDatabase
  let api: TestApi
  let peer: A2aPeer

  beforeAll(async () => {
    use = await openTestDatabase('pglite')
    peer = await startA2aPeer()
    const yaml = {
      rateLimits: { ip: 'none', failures: 'none', key: 'none', tenant: 'none', route: 'none' },
      pools: { echo: { command: ['cat'], capabilities: ['text', 'code:3'] } },
      a2a: { allow: ['127.0.0.1/32'] },
    }
    api = await startApi(use.db, { yaml: JSON.stringify(yaml) })
  }, 120_000)
  afterAll(async () => {
    await api.close()
    await use.close()
    await peer.close()
  })

  const names = async (query: object = {}) =>
    (await api.owner.call(searchRegistry, { query: { limit: 100, ...query } })).items.map(({ name }) => name)
  const eventsOf = async () => {
    const rows = await use.owner<{ type: string; subject_id: string }>(
      "select type, subject_id from events where subject_kind = 'registry-entry' order by seq",
    )
    return rows.map(({ type, subject_id: id }) => `${type} ${id}`)
  }

  it('publishes remote agents by their card, and ours by their names', async () => {
    const body = { kind: 'a2a', target: peer.url, owner: 'team-x', taskMicroUsd: 20_000, checkSeconds: 60 } as const
    const peerEntry = await api.owner.call(publishAgent, { params: { name: 'peer' }, body })
    expect(peerEntry).toMatchObject({
      ...{ name: 'peer', rev: 1, title: 'Peer', version: '1.0.0', owner: 'team-x', health: 'healthy' },
      capabilities: ['scripts', 'code-review', 'testing'],
    })
    const echo = await api.owner.call(publishAgent, {
      params: { name: 'echo' },
      body: { kind: 'pool', target: 'echo' },
    })
    expect(echo).toMatchObject({ capabilities: ['text', 'code'], taskMicroUsd: null, checkSeconds: null })
    const shown = await api.owner.call(showRegistered, { params: { name: 'peer' } })
    expect(shown.card).toMatchObject({ name: 'Peer', skills: [{ id: 'scripts' }] })
  })

  it.each([
    ['pool', 'nobody', 'registry-target-unknown'],
    ['workflow', 'nothing', 'registry-target-unknown'],
    ['a2a', 'nonsense', 'registry-target-unknown'],
    ['a2a', 'http://169.254.169.254/', 'a2a-url-refused'],
    ['other', 'http://10.0.0.1/', 'a2a-url-refused'],
    ['other', 'http://127.0.0.1:1/', 'agent-unreachable'],
  ] as const)('publishes no %s %s', async (kind, target, code) => {
    const sent = api.owner.call(publishAgent, { params: { name: 'x' }, body: { kind, target } })
    await expect(sent).rejects.toMatchObject({ code })
  })

  it('looks no more often than every 30 s', async () => {
    const body = { kind: 'pool', target: 'echo', checkSeconds: 29 } as const
    await expect(api.owner.call(publishAgent, { params: { name: 'x' }, body })).rejects.toMatchObject({
      code: 'invalid-input',
    })
  })

  it('is searched by capability, owner, kind, health, cost and words', async () => {
    expect(await names()).toEqual(['echo', 'peer'])
    expect(await names({ capability: 'testing,scripts' })).toEqual(['peer'])
    expect(await names({ capability: 'testing,text' })).toEqual([])
    expect(await names({ owner: 'team-x' })).toEqual(['peer'])
    expect(await names({ kind: 'pool' })).toEqual(['echo'])
    expect(await names({ maxTaskMicroUsd: 20_000 })).toEqual(['peer'])
    expect(await names({ maxTaskMicroUsd: 19_999 })).toEqual([])
    expect(await names({ text: 'PEE' })).toEqual(['peer'])
    expect(await names({ text: '%' })).toEqual([])
    expect(await names({ health: 'unhealthy' })).toEqual([])
    const page = await api.owner.call(searchRegistry, { query: { limit: 1 } })
    expect(page.next).toBe('echo')
    expect(await names({ after: page.next })).toEqual(['peer'])
  })

  it('a change of health is told once, and both ways', async () => {
    const look = () => api.owner.call(checkRegistered, { params: { name: 'peer' } })
    peer.faults.card = () => ({ name: '' })
    expect(await look()).toMatchObject({
      health: 'unhealthy',
      healthError: expect.stringContaining('agent-card-invalid'),
    })
    await look()
    expect(await names({ health: 'unhealthy' })).toEqual(['peer'])
    peer.faults.card = (card) => card
    expect(await look()).toMatchObject({ health: 'healthy', healthError: null })
    expect((await eventsOf()).filter((event) => event.endsWith(' peer'))).toEqual([
      ...['registry-entry.published peer', 'registry-entry.unhealthy peer', 'registry-entry.healthy peer'],
    ])
  })

  it('is one of each tenant, and goes when it is removed', async () => {
    const other = await makeTenant(api, 'other-registry')
    expect((await other.client.call(searchRegistry, { query: { limit: 100 } })).items).toEqual([])
    await expect(other.client.call(showRegistered, { params: { name: 'peer' } })).rejects.toMatchObject({
      code: 'registry-entry-not-found',
    })
    await api.owner.call(removeRegistered, { params: { name: 'peer' } })
    expect(await names()).toEqual(['echo'])
    await expect(api.owner.call(removeRegistered, { params: { name: 'peer' } })).rejects.toMatchObject({
      code: 'registry-entry-not-found',
    })
    expect(api.errors).toEqual([])
  })
})
