import { seededRandom } from '../../kernel/random.ts'

export async function listAll<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

export async function collect(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  return Buffer.concat(await listAll(body))
}

/** The content in chunks of 0 to 400 KB. The buffer of a chunk is used again for the next, as streams may. */
export async function* inRandomChunks(content: Uint8Array, seed: number): AsyncGenerator<Uint8Array> {
  const random = seededRandom(seed)
  const buffer = Buffer.alloc(400_000)
  for (let at = 0; at < content.length; ) {
    const size = Math.min(Math.floor(random.next() * buffer.length), content.length - at)
    buffer.set(content.subarray(at, at + size))
    yield buffer.subarray(0, size)
    at += size
  }
}
