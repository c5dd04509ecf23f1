import fc from 'fast-check'
import { expect, test } from 'vitest'
import { agreeOn } from './runner-versions-contract.ts'

test('versions one apart agree on what both know; further apart, the older one is named', () => {
  const version = fc.integer({ min: 1, max: 50 })
  fc.assert(
    fc.property(version, version, (runner, server) => {
      const agreed = agreeOn(runner, server)
      if (Math.abs(runner - server) <= 1) expect(agreed).toEqual({ contract: Math.min(runner, server) })
      else expect(agreed).toEqual({ older: runner < server ? 'runner' : 'server' })
    }),
  )
})
