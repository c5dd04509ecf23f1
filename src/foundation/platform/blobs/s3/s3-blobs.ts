import { asId, type TenantId } from '../../../kernel/ids.ts'
import { inPieces, receive, resolveRange } from '../blob-content.ts'
import { blobErrors } from '../blob-errors.ts'
import { parseBlobKey, parseBlobPrefix } from '../blob-key.ts'
import type { BlobEntry, BlobStore } from '../blob-store.ts'
import { createS3Client } from './s3-client.ts'
import type { S3Options } from './s3-options.ts'
import { uploadParts } from './s3-upload.ts'
import { readXml } from './s3-xml.ts'

const defaultPartBytes = 8 * 1_048_576

/** Blobs as objects of an S3 bucket, or of a server that speaks the same protocol. */
export function createS3Blobs(options: S3Options): BlobStore {
  const { prefix, partBytes = defaultPartBytes } = options
  const client = createS3Client(options)

  async function find(key: string, signal?: AbortSignal): Promise<BlobEntry | null> {
    parseBlobKey(key)
    const answer = await client.send({ method: 'HEAD', key, accept: [404], signal })
    if (answer.status === 404) return null
    const storedAt = new Date(answer.headers.get('last-modified') ?? 0)
    return { key, bytes: Number(answer.headers.get('content-length')), storedAt }
  }

  /** Pages of ListObjectsV2, as the elements called `element`. */
  async function* listElements(query: Readonly<Record<string, string>>, element: string): AsyncGenerator<string> {
    for (let token = ''; ; ) {
      const page = token === '' ? {} : { 'continuation-token': token }
      const answer = await client.send({ method: 'GET', key: null, query: { 'list-type': '2', ...query, ...page } })
      const text = await answer.text()
      yield* elements(text, element)
      if (readXml(text, 'IsTruncated')[0] !== 'true') return
      token = readXml(text, 'NextContinuationToken')[0] ?? ''
      if (token === '') throw blobErrors['blob-store-unavailable']('the store cut a list short')
    }
  }

  return {
    kind: 's3',
    async put(key, content, putOptions = {}) {
      parseBlobKey(key)
      const { signal } = putOptions
      const incoming = receive(content, putOptions)
      const pieces = inPieces(incoming, partBytes)
      const first = await pieces.next()
      const second = first.done ? first : await pieces.next()
      if (first.done || second.done) {
        const answer = await client.send({ method: 'PUT', key, body: first.value ?? new Uint8Array(), signal })
        await answer.body?.cancel()
      } else {
        await uploadParts(client, key, chain([first.value, second.value], pieces), signal)
      }
      return incoming.summary()
    },
    async get(key, { range, signal } = {}) {
      const entry = await find(key, signal)
      if (entry === null) throw blobErrors['blob-not-found'](`there is no blob ${key}`)
      const { start, end } = resolveRange(range, entry.bytes)
      const headers = { range: `bytes=${start}-${end - 1}` }
      return {
        bytes: entry.bytes,
        body: (async function* () {
          if (start === end) return
          const answer = await client.send({ method: 'GET', key, headers, signal, accept: [404, 416] })
          if (answer.status !== 206 || totalOf(answer) !== entry.bytes) {
            await answer.body?.cancel()
            throw blobErrors['blob-corrupt'](`the blob ${key} was replaced while it was read`)
          }
          yield* whole(answer, end - start, key)
        })(),
      }
    },
    find,
    async delete(key) {
      parseBlobKey(key)
      const answer = await client.send({ method: 'DELETE', key, accept: [404] })
      await answer.body?.cancel()
    },
    async *list(start) {
      parseBlobPrefix(start)
      for await (const item of listElements({ prefix: `${prefix}${start}` }, 'Contents')) {
        const key = readXml(item, 'Key')[0]!.slice(prefix.length)
        yield { key, bytes: Number(readXml(item, 'Size')[0]), storedAt: new Date(readXml(item, 'LastModified')[0]!) }
      }
    },
    async tenants() {
      const found: TenantId[] = []
      for await (const item of listElements({ prefix, delimiter: '/' }, 'CommonPrefixes')) {
        found.push(asId<TenantId>(readXml(item, 'Prefix')[0]!.slice(prefix.length, -1)))
      }
      return found
    },
    async removeRemains(before) {
      let removed = 0
      const answer = await client.send({ method: 'GET', key: null, query: { uploads: '', prefix } })
      for (const item of elements(await answer.text(), 'Upload')) {
        if (new Date(readXml(item, 'Initiated')[0] ?? 0) >= before) continue
        const [key, uploadId] = [readXml(item, 'Key')[0]!.slice(prefix.length), readXml(item, 'UploadId')[0]!]
        await client.send({ method: 'DELETE', key, query: { uploadId }, accept: [404] })
        removed += 1
      }
      return removed
    },
  }
}

/** The inner XML of elements, entities left as they are. */
function elements(text: string, name: string): string[] {
  return [...text.matchAll(new RegExp(`<${name}>([^]*?)</${name}>`, 'g'))].map((match) => match[1]!)
}

async function* chain(first: readonly Uint8Array[], rest: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* first
  yield* rest
}

function totalOf(answer: Response): number {
  return Number(/\/(\d+)$/.exec(answer.headers.get('content-range') ?? '')?.[1])
}

/** The body, or an error where the connection ended before all of it had come. */
async function* whole(answer: Response, expected: number, key: string): AsyncGenerator<Uint8Array> {
  let received = 0
  try {
    for await (const chunk of answer.body ?? []) {
      received += chunk.byteLength
      yield chunk
    }
  } catch (cause) {
    throw blobErrors['blob-store-unavailable'](`the store broke off in the middle of ${key}`, { cause })
  }
  if (received !== expected) throw blobErrors['blob-corrupt'](`${received} of ${expected} bytes of ${key} came`)
}
