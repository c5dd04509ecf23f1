import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { writeGatewayRouteSchema } from '../../src/external-api/gateway/managed/route-definition-contract.ts'

test('the guide shows a route with everything, and what it calls a default is one', () => {
  const guide = readFileSync(new URL('../../docs/guides/gateway.md', import.meta.url), 'utf8')
  const text = /```yaml title=route\.yaml\n([\s\S]*?)```/.exec(guide)![1]!
  const shown = parse(text) as Record<string, unknown>
  expect(Object.keys(shown).sort()).toEqual(Object.keys(writeGatewayRouteSchema.shape).sort())
  const { name, match, targets } = shown
  const least = writeGatewayRouteSchema.parse({ name, match, targets }) as Record<string, unknown>
  for (const key of [
    'strategy',
    'preserveHost',
    'permission',
    'breaker',
    'retries',
    'timeouts',
    'bodyLimit',
    'upgrades',
    'enabled',
  ])
    expect(shown[key], key).toEqual(least[key])
  const { health } = writeGatewayRouteSchema.parse({ name, match, targets, health: { path: '/healthz' } })
  expect(shown.health).toEqual(health)
})
