import { expect, test } from 'vitest'
import type { CliContext } from '../command.ts'
import { routeFromOptions } from './route-from-options.ts'

const context = { cwd: '/' } as CliContext
const base = { action: 'set-route', name: 'r', path: '/r/*', upstream: ['https://a.example.org'] }

test('what was set is taken away by `none`, and stays where nothing is said', async () => {
  const full = { ...base, affinity: 'cookie', rate: '5/1m', health: '/up', rewrite: '/v2/*' }
  const present = await routeFromOptions(context, full)
  expect(present).toMatchObject({ affinity: { by: 'cookie' }, rate: { requests: 5 }, health: { path: '/up' } })
  expect(await routeFromOptions(context, { action: 'set-route' }, present)).toEqual(present)
  const none = { affinity: 'none', rate: 'none', health: 'none', rewrite: 'none' }
  expect(await routeFromOptions(context, { action: 'set-route', ...none }, present)).toMatchObject({
    ...{ name: 'r', affinity: null, rate: null, health: null, rewrite: null },
  })
})
