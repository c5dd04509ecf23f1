import { expect, test } from 'vitest'
import { eachDatabase } from '../../../test/support/databases.ts'
import { TestPlatform, tenant } from '../../../test/support/platform.ts'
import { asId, type TenantId } from '../../foundation/kernel/ids.ts'
import { bearerTokenOf } from '../../foundation/platform/http/bearer-token.ts'
import { createServer } from '../../foundation/platform/http/server.ts'
import type { AgentView } from './agents-contract.ts'
import { agentRoutes } from './agents-routes.ts'
import { AgentsService } from './agents-service.ts'
import { countAgents } from './agents-view.ts'

eachDatabase('the agents of a tenant', (use) => {
  async function list(query = '', who = tenant): Promise<readonly AgentView[]> {
    const principal = { id: 'me', tenant: who, permissions: ['agents:read'] }
    await using server = createServer({
      routes: agentRoutes(
        new AgentsService({ database: use().db, leasesOf: async () => [], onShards: async () => {} }),
      ),
      authenticate: bearerTokenOf('t', principal),
    })
    const answer = await server.inject({ url: `/api/v1/agents${query}`, headers: { authorization: 'Bearer t' } })
    expect(answer.statusCode).toBe(200)
    return answer.json().items
  }

  test('are listed by pool with their slots, as lively as their runner, and seen by nobody else', async () => {
    const platform = new TestPlatform(use().db)
    await platform.register(3, ['code', 'review'])
    const run = await platform.start('name: x\nsteps:\n  a: { command: [a] }\n')
    await platform.exchange([])
    const later = new Date('2030-01-01T00:00:00Z')
    await use().owner('update runners set heartbeat_at = $1', [later])
    expect(await list()).toEqual([
      {
        id: `${platform.runnerId}/a`,
        pool: 'default',
        kind: 'command',
        state: 'healthy',
        intent: null,
        capabilities: ['code', 'review'],
        slots: 3,
        used: 1,
        runnerId: platform.runnerId,
        lastSeenAt: later.toISOString(),
      },
    ])
    expect(run.state).toBe('running')
    expect(await list('', asId<TenantId>('stranger'))).toEqual([])
  })

  test('show what decides which work they get; what other versions register is taken as far as it is understood', async () => {
    const labels = {
      zone: 'a',
      region: 'eu',
      taints: ['dear'],
      resources: { cpu: 2, disk: 'much' },
      'runner-resources': {},
    }
    const put = (id: string, more: object) =>
      use().owner(
        `insert into agents (tenant_id, id, pool, kind, state, slots, used, runner_id, registered_at, last_seen_at, weight, labels)
          values ('default', $1, 'p', 'command', 'healthy', 4, 0, 'rnr_1', now(), now(), 2, $2)`,
        [id, JSON.stringify({ ...labels, ...more })],
      )
    await put('known', { enforcement: 'metered' })
    await put('newer', { enforcement: 'prophesied' })
    const options = { database: use().db, leasesOf: async () => [], onShards: async () => {} }
    const show = async (id: string) => (await new AgentsService(options).show(tenant, id)).placement
    const known = { labels: { zone: 'a' }, region: 'eu', taints: ['dear'], weight: 2, resources: { cpu: 2 } }
    expect(await show('known')).toEqual({ ...known, enforcement: 'metered' })
    expect(await show('newer')).toEqual({ ...known, enforcement: null })
  })

  test('are filtered by pool and state, and offline ones offer no slots', async () => {
    await use().owner(`insert into agents (tenant_id, id, pool, kind, state, slots, used, runner_id, registered_at, last_seen_at)
      select 'default', pool || '/' || state, pool, 'command', state, 4, 1, 'rnr_1', now(), now()
      from unnest(array['a', 'b']) pool, unnest(array['healthy', 'draining', 'offline']) state`)
    const ids = async (query: string) => (await list(query)).map((agent) => agent.id)
    expect(await ids('')).toEqual(['a/draining', 'a/healthy', 'a/offline', 'b/draining', 'b/healthy', 'b/offline'])
    expect(await ids('?pool=a')).toEqual(['a/draining', 'a/healthy', 'a/offline'])
    expect(await ids('?state=offline')).toEqual(['a/offline', 'b/offline'])
    expect(await ids('?pool=b&state=healthy')).toEqual(['b/healthy'])
    expect(
      await use()
        .db.forTenant(tenant)
        .read((tx) => countAgents(tx, tenant)),
    ).toEqual({
      byState: { draining: 2, healthy: 2, offline: 2 },
      slots: 16,
      used: 4,
    })
  })
})
