import fc from 'fast-check'
import { expect, it } from 'vitest'
import { splitRecords } from './split-records.ts'

it('gives the same records however the bytes are cut', async () => {
  const record = fc.string({ unit: 'grapheme' }).map((text) => text.replaceAll('\0', ''))
  await fc.assert(
    fc.asyncProperty(fc.array(record), fc.array(fc.nat({ max: 7 })), async (records, cuts) => {
      const bytes = Buffer.from(records.map((text) => `${text}\0`).join(''))
      async function* pieces() {
        let start = 0
        for (const cut of cuts) {
          yield bytes.subarray(start, start + cut)
          start += cut
        }
        yield bytes.subarray(start)
      }
      expect(await collect(splitRecords(pieces(), '\0'))).toEqual(records)
    }),
  )
})

it('counts a last record that has no separator', async () => {
  async function* pieces() {
    yield Buffer.from('a\nb')
  }
  expect(await collect(splitRecords(pieces(), '\n'))).toEqual(['a', 'b'])
})

async function collect(records: AsyncIterable<string>): Promise<string[]> {
  const all: string[] = []
  for await (const record of records) all.push(record)
  return all
}
