import { expect, test } from 'vitest'
import { eachDatabase } from '../../../test/support/databases.ts'
import { TestPlatform, tenant } from '../../../test/support/platform.ts'
import { bearerTokenOf } from '../../foundation/platform/http/bearer-token.ts'
import { createServer } from '../../foundation/platform/http/server.ts'
import { readAgentShapes } from '../agents/agent-shapes.ts'
import { readTaskSpecs } from '../coordinator/sql/read-task-specs.ts'
import { HostSampler } from '../monitor/host-figures.ts'
import { readHeldLanes, readUsageOfSteps } from '../runs/resource-figures.ts'
import { usualRequest } from './amounts-contract.ts'
import { optimizeResources, resourcesSchema } from './resources-contract.ts'
import { resourceRoutes } from './resources-routes.ts'
import { ResourcesService } from './resources-service.ts'

eachDatabase('resources', (use) => {
  async function get(path: string, ...more: string[]) {
    const resources = new ResourcesService({
      database: use().db,
      host: new HostSampler('/'),
      agentsOf: readAgentShapes,
      heldLanes: readHeldLanes,
      usageOfSteps: readUsageOfSteps,
      specsOf: readTaskSpecs,
    })
    const principal = { id: 'me', tenant, permissions: ['resources:read', ...more] }
    await using server = createServer({
      routes: resourceRoutes(resources),
      authenticate: bearerTokenOf('t', principal),
    })
    const answer = await server.inject({ url: path, headers: { authorization: 'Bearer t' } })
    expect(answer.statusCode, answer.body).toBe(200)
    return answer.json()
  }

  test('show what is handed out and held, by agent, pool and runner, all shares between 0 and 1', async () => {
    const platform = new TestPlatform(use())
    await platform.register(10)
    await use().owner(
      `update agents set labels = '{"resources": {"cpu": 4}, "runner-resources": {"memory": 1073741824}}'`,
    )
    await platform.start('name: x\nsteps:\n  m: { map: { over: [1, 2, 3], step: { command: [a] } } }\n')
    await platform.exchange([])
    const view = resourcesSchema.parse(await get('/api/v1/resources'))
    const leased = Number((await use().owner(`select count(*)::int as n from tasks where state = 'leased'`))[0]!.n)
    expect(leased).toBeGreaterThan(0)
    expect(view.agents).toMatchObject([
      { pool: 'default', capacity: { cpu: 4 }, held: { cpu: leased }, utilisation: { cpu: leased / 4 } },
    ])
    expect(view.pools).toMatchObject([{ pool: 'default', agents: 1, used: leased, utilisation: { cpu: leased / 4 } }])
    expect(view.runners).toMatchObject([
      {
        id: platform.runnerId,
        held: { memory: leased * usualRequest.memory },
        utilisation: { memory: leased / 2 > 1 ? 1 : leased / 2 },
      },
    ])
    expect(view.host).toBe(null)
    const { host } = resourcesSchema.parse(await get('/api/v1/resources', 'platform:read'))
    for (const share of Object.values(host!.utilisation)) expect(share).toBeLessThanOrEqual(1)
    expect(host!.capacity.memory).toBeGreaterThan(0)
  })

  test('compare what steps ask for with what their attempts used', async () => {
    const platform = new TestPlatform(use())
    const worker = await platform.register(100)
    const items = JSON.stringify(Array.from({ length: 20 }, (_, n) => n))
    const run = await platform.start(
      `name: x\nsteps:\n  m: { map: { over: ${items}, step: { command: [a], resources: { cpu: 2 } } } }\n  once: { command: [a] }\n`,
    )
    // Each an hour on a tenth of a core, but one of twenty on a whole one: that is beyond the 95th percentile.
    await platform.work(run.id, ({ item }) => ({
      output: null,
      wallSeconds: 3_600,
      cpuSeconds: item === 0 ? 3_600 : 360,
    }))
    expect(worker.held.size).toBe(0)
    const { items: found, saving } = optimizeResources.output!.parse(await get('/api/v1/resources/optimize?workflow=x'))
    expect(found.map(({ step, advice }) => [step, advice])).toEqual([
      ['m', 'smaller'],
      ['once', 'too few attempts'],
    ])
    expect(found[0]).toMatchObject({ attempts: 20, hours: 20, request: { cpu: 2 }, most: { cpu: 1 } })
    expect(found[0]!.p95.cpu).toBeCloseTo(0.1)
    expect(found[0]!.proposal.cpu).toBeCloseTo(0.2)
    expect(saving.coreHours).toBeCloseTo(36)
    expect((await get('/api/v1/resources/optimize?workflow=other')).items).toEqual([])
  })

  test('attempts that failed count as well, and those of before do not', async () => {
    const platform = new TestPlatform(use())
    await platform.register(100)
    const run = await platform.start(
      'name: x\nsteps:\n  s: { command: [a], retry: { attempts: 3, on: [crash], backoff: { initial: 1ms } } }\n',
    )
    await platform.work(run.id, () => ({ code: 'crash' }))
    expect((await get('/api/v1/resources/optimize')).items).toMatchObject([{ step: 's', attempts: 1 }])
    await use().owner(`update runs set created_at = created_at - interval '8 days'`)
    expect((await get('/api/v1/resources/optimize')).items).toEqual([])
    expect((await get('/api/v1/resources/optimize?days=9')).items).toHaveLength(1)
  })
})
