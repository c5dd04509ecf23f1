import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createTurnstile } from './turnstile.ts'

test('one at a time, in the order of arrival, whatever the others do', () =>
  fc.assert(
    fc.asyncProperty(fc.scheduler(), fc.array(fc.boolean(), { minLength: 1, maxLength: 20 }), async (s, fails) => {
      const turnstile = createTurnstile()
      const entered: number[] = []
      let inside = 0
      const all = fails.map((failing, i) =>
        turnstile.run(async () => {
          inside += 1
          expect(inside).toBe(1)
          entered.push(i)
          await s.schedule(Promise.resolve())
          inside -= 1
          if (failing) throw new Error(String(i))
          return i
        }),
      )
      const settled = Promise.allSettled(all)
      await s.waitFor(settled)
      expect(entered).toEqual(fails.map((_, i) => i))
      expect((await settled).map((result) => result.status)).toEqual(
        fails.map((failing) => (failing ? 'rejected' : 'fulfilled')),
      )
    }),
  ))
