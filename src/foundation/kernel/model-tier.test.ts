import fc from 'fast-check'
import { expect, test } from 'vitest'
import { modelOfTier, modelTiers, raiseTier } from './model-tier.ts'

const tier = fc.constantFrom(...modelTiers)

test.each([
  ['light', 0, 'light'],
  ['light', 2, 'strong'],
  ['standard', 1, 'strong'],
  ['strong', 2, 'strongest'],
  ['strongest', 1, 'strongest'],
] as const)('%s raised by %i is %s', (from, steps, to) => {
  expect(raiseTier(from, steps)).toBe(to)
})

test('a tier without a model takes the next weaker one, else the next stronger', () => {
  expect(modelOfTier({ standard: 'b', strongest: 'd' }, 'strong')).toBe('b')
  expect(modelOfTier({ strong: 'c', strongest: 'd' }, 'light')).toBe('c')
  expect(modelOfTier({}, 'light')).toBeNull()
})

test('a higher tier never gets a weaker model, and one that is named is always taken', () => {
  fc.assert(
    fc.property(tier, tier, fc.uniqueArray(tier, { minLength: 1 }), (one, other, named) => {
      const models = Object.fromEntries(named.map((name) => [name, name]))
      const rank = (wanted: (typeof modelTiers)[number]) => modelTiers.indexOf(modelOfTier(models, wanted) as never)
      if (modelTiers.indexOf(one) <= modelTiers.indexOf(other)) expect(rank(one)).toBeLessThanOrEqual(rank(other))
      if (named.includes(one)) expect(modelOfTier(models, one)).toBe(one)
    }),
  )
})
