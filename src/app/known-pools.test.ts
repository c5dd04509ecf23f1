import { expect, test } from 'vitest'
import { eachDatabase } from '../../test/support/databases.ts'
import { type AgentId, asId, type RunnerId, type TenantId } from '../foundation/kernel/ids.ts'
import { RunnersStore } from '../orchestration/agents/runners-store.ts'
import { createKnownPools } from './known-pools.ts'

const tenant = asId<TenantId>('default')

eachDatabase('known pools', (use) => {
  test('follow the agents that come and go, those alike told once', async () => {
    const { db } = use()
    const store = new RunnersStore()
    const known = createKnownPools(db, tenant)
    const names = async () => {
      await known.refresh()
      return known.offers().map(({ name, takesPrompts, profile }) => [name, takesPrompts, profile.region])
    }
    expect(await names()).toEqual([])
    const agent = (id: string, pool: string, labels = {}) => ({
      ...{ tenant, agentId: id as AgentId, pool, kind: 'command', capabilities: ['code'] },
      ...{ labels, slots: 1, weight: 1 },
    })
    const agents = [agent('a', 'coders', { region: 'eu' }), agent('b', 'coders', { region: 'eu' }), agent('c', 'local')]
    const registration = { runnerId: 'rnr_1' as RunnerId, host: 'far', pid: 1, agents }
    const system = db.asSystem('test')
    await system.write((tx) => store.register(tx, registration, db.clock.now()))
    expect(await names()).toEqual([
      ['coders', true, 'eu'],
      ['local', false, null],
    ])
    await system.write(async (tx) => {
      const gone = await store.giveUp(tx, { ids: ['rnr_1'] })
      await store.takeOffline(tx, gone, db.clock.now())
    })
    expect(await names()).toEqual([])
  })
})
