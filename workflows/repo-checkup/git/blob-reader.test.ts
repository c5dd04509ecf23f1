import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createRepository } from '../repository.fixture.ts'
import { openBlobReader, parseBatch } from './blob-reader.ts'
import { openRepository } from './open-repository.ts'

describe('parseBatch', () => {
  test('reads the answers whatever pieces they come in', async () => {
    const answer = fc.oneof(
      fc.constant(null),
      fc.uint8Array({ maxLength: 50 }).map((bytes) => Buffer.from(bytes)),
    )
    await fc.assert(
      fc.asyncProperty(
        fc.array(answer, { maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 20 })),
        async (answers, cuts) => {
          const whole = Buffer.concat(
            answers.map((content) =>
              content === null
                ? Buffer.from('abc missing\n')
                : Buffer.concat([Buffer.from(`abc blob ${content.length}\n`), content, Buffer.from('\n')]),
            ),
          )
          const read: (string | null)[] = []
          await parseBatch(inPieces(whole, cuts), (content) => read.push(content?.toString('hex') ?? null))
          expect(read).toEqual(answers.map((content) => content?.toString('hex') ?? null))
        },
      ),
    )
  })
})

async function* inPieces(whole: Buffer, cuts: readonly number[]): AsyncGenerator<Buffer> {
  let at = 0
  for (let piece = 0; at < whole.length; piece += 1) {
    const size = cuts.length === 0 ? whole.length : cuts[piece % cuts.length]!
    yield whole.subarray(at, at + size)
    at += size
  }
}

describe('openBlobReader', () => {
  test('answers many questions at once, in order', async () => {
    using repo = createRepository()
    const contents = Object.fromEntries(Array.from({ length: 200 }, (_, at) => [`f${at}`, `${at}\n`.repeat(at)]))
    repo.commit(contents)
    await using repository = await openRepository(repo.path)
    await using reader = openBlobReader(repository)
    const oids = Object.keys(contents).map((name) => repo.git(['rev-parse', `HEAD:${name}`]))
    const read = await Promise.all(oids.map((oid) => reader.read(oid)))
    expect(read.map((content) => content?.toString())).toEqual(Object.values(contents))
    expect(await reader.read('0'.repeat(40))).toBeNull()
    expect(await reader.read(repo.git(['rev-parse', 'HEAD']))).toBeNull()
    expect((await reader.read(oids[3]!))?.toString()).toBe('3\n3\n3\n')
  })

  test('refuses to answer once closed', async () => {
    using repo = createRepository()
    repo.commit({ a: 'a' })
    await using repository = await openRepository(repo.path)
    const reader = openBlobReader(repository)
    await reader[Symbol.asyncDispose]()
    await expect(reader.read('0'.repeat(40))).rejects.toThrow('closed')
  })
})
