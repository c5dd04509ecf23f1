import { afterAll, beforeAll, expect, test } from 'vitest'
import { changeGatewayRoute, createGatewayRoute, removeGatewayRoute, stopGateway } from '../../src/contract.ts'
import { openDatabase } from '../../src/foundation/platform/database/open-database.ts'
import { eventually } from '../../src/foundation/runtime/log.fixture.ts'
import { startApi, type TestApi } from '../support/api.ts'
import {
  ask,
  localAllowed,
  openGateway,
  startUpstream,
  type TestGateway,
  type TestUpstream,
} from './gateway.fixture.ts'

let one: TestGateway
let other: TestApi
let otherDatabase: Awaited<ReturnType<typeof openDatabase>>
let upstream: TestUpstream

beforeAll(async () => {
  one = await openGateway('postgres')
  otherDatabase = await openDatabase({ kind: 'postgres', url: one.use.url!, poolSize: 4, idleInTransactionMs: 30_000 })
  other = await startApi(otherDatabase, { yaml: localAllowed })
  upstream = await startUpstream()
})
afterAll(async () => {
  await other.close()
  await otherDatabase.close()
  await one.close()
  await upstream.close()
})

test('a change is live in every replica, without a restart', async () => {
  const body = (path: string) =>
    ({
      name: 'shared',
      match: { path },
      targets: [{ name: 'main', upstreams: [{ name: 'u', url: upstream.url }] }],
    }) as never
  const at = async (path: string) => (await ask(`${other.server.localUrl}/gateway${path}`, one.key)).status
  const { id } = await one.client.call(createGatewayRoute, { body: body('/first/*') })
  await eventually(async () => (await at('/first/a')) === 200)
  await one.client.call(changeGatewayRoute, { params: { id }, body: body('/second/*') })
  await eventually(async () => (await at('/second/a')) === 200)
  expect(await at('/first/a')).toBe(404)
  await one.client.call(stopGateway)
  await eventually(async () => (await at('/second/a')) === 503)
  await one.client.call(removeGatewayRoute, { params: { id } })
  expect([...one.api.errors, ...other.errors]).toEqual([])
})
