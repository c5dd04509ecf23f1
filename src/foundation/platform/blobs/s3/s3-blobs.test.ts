import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { collect, listAll } from '../blobs.fixture.ts'
import { createS3Blobs } from './s3-blobs.ts'
import type { S3Options } from './s3-options.ts'
import { bucket, credentials, leastPartBytes, region, type ScriptedS3, startScriptedS3 } from './s3-server.fixture.ts'

let server: ScriptedS3
beforeAll(async () => {
  server = await startScriptedS3()
})
afterAll(() => server.close())
beforeEach(() => {
  server.objects.clear()
  server.requests.length = 0
  server.faults.length = 0
})

const key = 'default/artifacts/one'
const open = (options: Partial<S3Options> = {}) =>
  createS3Blobs({
    bucket,
    prefix: 'p/',
    region,
    endpoint: server.url,
    pathStyle: true,
    credentials,
    partBytes: leastPartBytes,
    pauseMs: 1,
    ...options,
  })

test('small content is one request, larger content is parts', async () => {
  await open().put(key, randomBytes(leastPartBytes))
  expect(server.requests).toEqual([`PUT p/${key}`])
  server.requests.length = 0
  await open().put(key, randomBytes(2 * leastPartBytes + 1))
  expect(server.requests.map((request) => request.replace(/uploadId=[^&]*/, 'uploadId=X'))).toEqual([
    `POST p/${key}?uploads=`,
    ...[1, 2, 3].map((part) => `PUT p/${key}?partNumber=${part}&uploadId=X`),
    `POST p/${key}?uploadId=X`,
  ])
  server.requests.length = 0
  await open({ partBytes: 8 * 1_048_576 }).put(key, randomBytes(2 * leastPartBytes + 1))
  expect(server.requests).toEqual([`PUT p/${key}`])
})

test('passing failures are tried again, with a fresh signature', async () => {
  server.faults.push(503, 500, 429, 503)
  await open().put(key, Buffer.from('x'))
  expect(server.requests).toHaveLength(5)
  server.faults.push(503)
  expect((await collect((await open().get(key)).body)).toString()).toBe('x')
})

test('failures that last are told as such, after the last try', async () => {
  server.faults.push(503, 503, 503)
  await expect(open({ tries: 3 }).put(key, Buffer.from('x'))).rejects.toMatchObject({
    code: 'blob-store-unavailable',
    retry: 'later',
    details: { status: 503, s3Code: 'SlowDown' },
  })
  expect(server.requests).toHaveLength(3)
})

test.each([
  ['another secret', { credentials: { ...credentials, secretAccessKey: 'wrong' } }, 'SignatureDoesNotMatch'],
  ['another key', { credentials: { ...credentials, accessKeyId: 'AKIDOTHER' } }, 'InvalidAccessKeyId'],
  ['another region', { region: 'us-east-1' }, 'InvalidAccessKeyId'],
  ['no such bucket', { bucket: 'another-bucket' }, 'NoSuchBucket'],
])('%s is refused at once, not tried again', async (_what, options, s3Code) => {
  const error = { code: 'blob-store-refused', retry: 'never', details: { s3Code } }
  await expect(open(options).put(key, Buffer.from('x'))).rejects.toMatchObject(error)
  await expect(listAll(open(options).list('default/'))).rejects.toMatchObject(error)
  expect(server.requests).toEqual([])
})

test('a server that cannot be reached is told as such', async () => {
  const gone = open({ endpoint: 'http://127.0.0.1:1', tries: 2 })
  await expect(gone.find(key)).rejects.toMatchObject({
    code: 'blob-store-unavailable',
    message: expect.stringContaining(bucket),
  })
})

test('an answer that never comes ends with the time limit', async () => {
  const silent: typeof fetch = (_url, init) =>
    new Promise((_resolve, reject) => init?.signal?.addEventListener('abort', () => reject(init.signal?.reason)))
  const error = { code: 'blob-store-unavailable' }
  await expect(open({ fetch: silent, timeoutMs: 20, tries: 2 }).find(key)).rejects.toMatchObject(error)
  const stop = AbortSignal.abort(new Error('given up'))
  await expect(open({ fetch: silent }).get(key, { signal: stop })).rejects.toThrow('given up')
})

test('a body that breaks off is an error, not a short answer', async () => {
  await open().put(key, randomBytes(200_000))
  const { body } = await open().get(key)
  server.faults.push('cut')
  await expect(collect(body)).rejects.toMatchObject({
    code: expect.stringMatching(/^blob-(store-unavailable|corrupt)$/),
  })
})

test('content that was replaced between looking and reading is an error', async () => {
  await open().put(key, randomBytes(100))
  const { body } = await open().get(key)
  await open().put(key, randomBytes(50))
  await expect(collect(body)).rejects.toMatchObject({ code: 'blob-corrupt' })
})

test('an upload whose completion fails inside of an answer 200 fails, and is taken back', async () => {
  server.faults.push('complete-fails')
  await expect(open().put(key, randomBytes(3 * leastPartBytes))).rejects.toMatchObject({
    code: 'blob-store-unavailable',
  })
  expect(server.uploads.size).toBe(0)
  expect(server.objects.size).toBe(0)
})

test('uploads that broke off are found and taken back by their age', async () => {
  const answer = { key: `p/${key}`, parts: new Map() }
  server.uploads.set('a&b', { ...answer, at: new Date(Date.now() - 86_400_000) })
  server.uploads.set('young', { ...answer, at: new Date() })
  expect(await open().removeRemains(new Date(Date.now() - 3_600_000))).toBe(1)
  expect([...server.uploads.keys()]).toEqual(['young'])
  server.uploads.clear()
})

test.each([
  [{ endpoint: null, pathStyle: false }, 'https://test-bucket.s3.eu-test-1.amazonaws.com/p/default/x'],
  [{ endpoint: null, pathStyle: true }, 'https://s3.eu-test-1.amazonaws.com/test-bucket/p/default/x'],
  [{ endpoint: 'https://minio:9000', pathStyle: true }, 'https://minio:9000/test-bucket/p/default/x'],
  [{ endpoint: 'https://r2.example', pathStyle: false, prefix: '' }, 'https://test-bucket.r2.example/default/x'],
])('the address of an object under %j', async (options, address) => {
  const asked: string[] = []
  const record: typeof fetch = async (url) => {
    asked.push(String(url))
    return new Response(null, { status: 404 })
  }
  expect(await open({ ...options, fetch: record }).find('default/x')).toBeNull()
  expect(asked).toEqual([address])
})
