import { expect, test } from 'vitest'
import { shapePools } from './pools.ts'

function shape(pool: object, gateway?: object) {
  const complaints: string[] = []
  const pools = shapePools(
    { a: pool } as never,
    1,
    (place, text) => complaints.push(`${place.join('.')}: ${text}`),
    gateway,
  )
  return { tiers: pools[1]!.tiers, complaints }
}

test('the models of tiers: of the pool itself, and those of the gateway for pools that use it', () => {
  const gateway = { standard: 'g', strong: 'gg' }
  expect(shape({ command: ['x'] }, gateway).tiers).toEqual({})
  expect(shape({ command: ['x'], models: true }, gateway).tiers).toEqual(gateway)
  expect(shape({ command: ['x'], models: ['m'], tiers: { strong: 'own' } }, gateway).tiers).toEqual({
    standard: 'g',
    strong: 'own',
  })
  expect(shape({ command: ['x'], models: false, tiers: { light: 'l' } }, gateway).tiers).toEqual({ light: 'l' })
})

test('{model} without tiers is refused with its place', () => {
  expect(shape({ command: ['x', '-m={model}'] }).complaints).toEqual([
    expect.stringMatching(/^pools\.a\.command: \{model\}/),
  ])
  expect(shape({ command: ['x', '-m={model}'], tiers: { light: 'l' } }).complaints).toEqual([])
})
