import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { TenantId } from '../kernel/ids.ts'
import type { LoggedEvent } from './event-log.ts'
import { LogWindow } from './log-window.ts'

function eventAt(seq: number): LoggedEvent {
  const subject = { kind: 'task', id: `t${seq}`, rev: 1 }
  const common = {
    tenant: 'default' as TenantId,
    type: 'task.succeeded',
    subject,
    runId: null,
    at: new Date(0),
    data: null,
  }
  return { ...common, tick: seq, seq }
}

test('whoever follows, from wherever, sees every event once and in order, however little is kept', async () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('extend' as const), count: fc.integer({ min: 1, max: 9 }) }),
    fc.record({ kind: fc.constant('skip' as const), count: fc.integer({ min: 1, max: 9 }) }),
    fc.record({ kind: fc.constant('follow' as const), count: fc.nat(60) }),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), fc.integer({ min: 1, max: 20 }), async (steps, keep) => {
      const log: LoggedEvent[] = []
      const place = (seq: number) => ({ epoch: 1, tick: seq, seq })
      using window = new LogWindow(place(0), {
        keep,
        readPage: async ({ seq }, limit) => log.slice(seq, seq + limit),
      })
      const stop = new AbortController()
      const followers: { readonly from: number; readonly seen: number[]; readonly ended: Promise<void> }[] = []
      const add = (count: number) => {
        const added = Array.from({ length: count }, (_, n) => eventAt(log.length + n + 1))
        log.push(...added)
        return added
      }
      for (const { kind, count } of [...steps, { kind: 'extend' as const, count: 1 }]) {
        if (kind === 'follow') {
          const from = Math.min(count, log.length)
          const seen: number[] = []
          const ended = (async () => {
            for await (const batch of window.follow({ from: place(from) }, stop.signal)) {
              for (const { seq } of batch) seen.push(seq)
            }
          })()
          followers.push({ from, seen, ended })
        } else {
          const added = add(count)
          if (kind === 'extend') window.extend(added)
          else window.skipTo(place(log.length))
          window.tell()
        }
        // Some look in between, some do not.
        if (count % 2 === 0) await new Promise(setImmediate)
      }
      await expect.poll(() => followers.every(({ from, seen }) => seen.length >= log.length - from)).toBe(true)
      stop.abort()
      await Promise.all(followers.map(({ ended }) => ended))
      for (const { from, seen } of followers) {
        expect(seen).toEqual(Array.from({ length: log.length - from }, (_, n) => from + n + 1))
      }
      expect(window.size).toBeLessThanOrEqual(2 * keep + 9)
    }),
    { numRuns: 60 },
  )
})
