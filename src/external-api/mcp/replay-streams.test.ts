import fc from 'fast-check'
import { expect, test } from 'vitest'
import { systemIds } from '../../foundation/kernel/ids.ts'
import { ReplayStreams } from './replay-streams.ts'

const never = new AbortController().signal

async function read(events: AsyncIterable<Uint8Array>): Promise<string[]> {
  const data: string[] = []
  for await (const chunk of events) data.push(/^data: (.*)$/m.exec(new TextDecoder().decode(chunk))![1]!)
  return data
}

test('whoever breaks off anywhere and comes back has all of it, once, in order', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 20 }), fc.array(fc.nat(20), { maxLength: 4 }), async (count, breaks) => {
      const streams = new ReplayStreams(systemIds)
      const stream = streams.open('ann')!
      const begin = stream.push('', false)
      const writing = (async () => {
        for (let n = 1; n <= count; n++) {
          stream.push(String(n), n === count)
          await Promise.resolve()
        }
      })()
      const seen: string[] = []
      let last = begin
      for (const stop of [...breaks, Number.POSITIVE_INFINITY]) {
        const { stream: found, after } = streams.find('ann', last)!
        let taken = 0
        for await (const chunk of found.follow(after, never)) {
          const text = new TextDecoder().decode(chunk)
          seen.push(/^data: (.*)$/m.exec(text)![1]!)
          last = /^id: (.*)$/m.exec(text)![1]!
          if (++taken > stop) break
        }
      }
      await writing
      expect(seen).toEqual(Array.from({ length: count }, (_, n) => String(n + 1)))
      streams.close()
    }),
    { numRuns: 50 },
  )
})

test('keeps to its bounds: the oldest that ended goes first, work that goes on stays, nobody reads what is not his', async () => {
  const streams = new ReplayStreams(systemIds, { streams: 3, bytes: 100, keepMs: 60_000 })
  const [one, two, three] = [streams.open('ann')!, streams.open('ann')!, streams.open('bob')!]
  expect(streams.open('ann')).toBeNull()
  const first = one.push('a'.repeat(40), true)
  const second = two.push('b'.repeat(40), false)
  const third = three.push('c'.repeat(40), false)
  expect(streams.find('ann', first)).toBeNull()
  expect(streams.find('ann', second)).not.toBeNull()
  expect(streams.find('ann', third)).toBeNull()
  expect(streams.find('bob', third)).not.toBeNull()
  expect(await read(streams.find('bob', third)!.stream.follow(0, AbortSignal.abort()))).toEqual([])
  streams.close()
  expect([two.signal.aborted, three.signal.aborted]).toEqual([true, true])
  expect(streams.find('ann', second)).toBeNull()
})

test('nobody comes back: the work is told to end', async () => {
  const streams = new ReplayStreams(systemIds, { streams: 3, bytes: 100, keepMs: 20 })
  const stream = streams.open('ann')!
  const place = stream.push('', false)
  const gone = new Promise((resolve) => stream.signal.addEventListener('abort', resolve))
  const leave = stream.attach()
  const again = stream.attach()
  leave()
  expect(stream.signal.aborted).toBe(false)
  again()
  await gone
  expect(streams.find('ann', place)).toBeNull()
})
