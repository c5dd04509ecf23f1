import { Writable } from 'node:stream'
import { expect, test } from 'vitest'
import { sendStream } from './send-stream.ts'

test('many streams with much to say let everything else have its turn', async () => {
  let writes = 0
  const sink = () =>
    new Writable({
      highWaterMark: 1_000_000,
      write(_chunk, _encoding, done) {
        const until = performance.now() + 2
        while (performance.now() < until);
        writes += 1
        done()
      },
    })
  async function* chunks() {
    for (let n = 0; n < 5; n++) yield 'event'
  }
  const others: number[] = []
  const look = () => {
    others.push(writes)
    if (writes < 100) setImmediate(look)
  }
  setImmediate(look)
  await Promise.all(Array.from({ length: 20 }, () => sendStream(sink(), chunks(), new AbortController().signal)))
  expect(writes).toBe(100)
  expect(others[0]).toBeLessThan(20)
  expect(others.length).toBeGreaterThan(5)
})
