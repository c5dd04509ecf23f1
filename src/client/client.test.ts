import { afterEach, describe, expect, test } from 'vitest'
import { AppError, defineErrors } from '../foundation/kernel/errors.ts'
import { asId, type TenantId } from '../foundation/kernel/ids.ts'
import { z } from '../foundation/kernel/schema.ts'
import { bearerTokenOf } from '../foundation/platform/http/bearer-token.ts'
import { endpoint } from '../foundation/platform/http/endpoint-contract.ts'
import { type Route, route } from '../foundation/platform/http/route.ts'
import { createServer, type HttpServer } from '../foundation/platform/http/server.ts'
import { createClient } from './index.ts'

const errors = defineErrors({
  'hat-lost': { kind: 'not-found', retry: 'later', when: 'a hat is lost', next: 'look under the sofa' },
})

const hat = endpoint({
  method: 'GET',
  path: '/hats/:id',
  params: z.object({ id: z.string() }),
  query: z.object({ size: z.coerce.number().optional() }),
  output: z.object({ id: z.string(), size: z.number().nullable() }),
})
const count = endpoint({
  method: 'GET',
  path: '/count',
  query: z.object({ to: z.coerce.number() }),
  output: z.object({ n: z.int() }),
  reply: 'lines',
})
const ticks = endpoint({ method: 'GET', path: '/ticks', output: z.object({ n: z.int() }), reply: 'events' })
const file = endpoint({ method: 'GET', path: '/file', reply: 'bytes' })

const open: HttpServer[] = []
afterEach(async () => {
  for (const server of open.splice(0)) await server.close({ graceMs: 100 })
})

async function serve(routes: readonly Route[], port = 0) {
  const principal = { id: 'tester', tenant: asId<TenantId>('default'), permissions: ['*'] }
  const server = createServer({ routes, authenticate: bearerTokenOf('lvt_right', principal) })
  open.push(server)
  return { ...(await server.listen({ port })), server }
}

const hats = route({
  ...hat,
  permission: 'hats:read',
  handle: ({ params, query }) => {
    if (params.id === 'lost') throw errors['hat-lost']('no hat called lost', { details: { id: 'lost' } })
    if (params.id === 'bug') throw new Error('hunter2')
    return { id: params.id, size: query.size ?? null }
  },
})

describe('call', () => {
  test('fills path and query and parses the answer', async () => {
    const { url } = await serve([hats])
    const client = createClient({ url, token: 'lvt_right' })
    expect(await client.call(hat, { params: { id: 'a b/ü?' }, query: { size: 7 } })).toEqual({ id: 'a b/ü?', size: 7 })
    expect(await client.call(hat, { params: { id: 'x' } })).toEqual({ id: 'x', size: null })
  })

  test('throws the error the server meant, with its advice', async () => {
    const { url } = await serve([hats])
    const lost = await createClient({ url, token: 'lvt_right' })
      .call(hat, { params: { id: 'lost' } })
      .catch(asError)
    expect(lost).toMatchObject({
      code: 'hat-lost',
      kind: 'not-found',
      retry: 'later',
      next: 'look under the sofa',
      message: 'no hat called lost',
      details: { id: 'lost' },
    })
    const bug = await createClient({ url, token: 'lvt_right' })
      .call(hat, { params: { id: 'bug' } })
      .catch(asError)
    expect(bug).toMatchObject({ code: 'internal', message: expect.stringMatching(/\(request req_\w+\)$/) })
    const stranger = await createClient({ url, token: 'lvt_wrong' })
      .call(hat, { params: { id: 'x' } })
      .catch(asError)
    expect(stranger).toMatchObject({ code: 'unauthenticated', kind: 'unauthenticated' })
  })

  test('knows an unreachable server and an answer that is none', async () => {
    const { url, server } = await serve([
      route({ method: 'GET', path: '/hats/:id', permission: 'public', output: z.any(), handle: () => ({ id: 7 }) }),
    ])
    const client = createClient({ url })
    expect(await client.call(hat, { params: { id: 'x' } }).catch(asError)).toMatchObject({ code: 'answer-malformed' })
    await server.close()
    expect(await client.call(hat, { params: { id: 'x' } }).catch(asError)).toMatchObject({
      code: 'server-unreachable',
      kind: 'unavailable',
    })
    const html = createClient({ url: 'http://any', fetch: async () => new Response('<html>', { status: 502 }) })
    expect(await html.call(hat, { params: { id: 'x' } }).catch(asError)).toMatchObject({
      code: 'answer-malformed',
      message: expect.stringContaining('502'),
    })
  })

  test('an abort is the caller’s own reason, not a failure of the server', async () => {
    const { url } = await serve([hats])
    const reason = new Error('enough')
    await expect(
      createClient({ url }).call(hat, { params: { id: 'x' }, signal: AbortSignal.abort(reason) }),
    ).rejects.toBe(reason)
  })
})

describe('lines', () => {
  test('arrive whole and in order, and a failure on the way is thrown', async () => {
    const { url } = await serve([
      route({
        ...count,
        permission: 'public',
        handle: async function* ({ query }) {
          for (let n = 1; n <= query.to; n++) yield { n }
          if (query.to === 13) throw errors['hat-lost']('after the last')
        },
      }),
    ])
    const client = createClient({ url })
    const numbers = (await collect(client.lines(count, { query: { to: 5_000 } }))).map(({ n }) => n)
    expect(numbers).toEqual(Array.from({ length: 5_000 }, (_, i) => i + 1))
    expect(await collect(client.lines(count, { query: { to: 13 } })).catch(asError)).toMatchObject({
      code: 'hat-lost',
    })
  })
})

describe('events', () => {
  test('resume behind the last one when the server goes and comes back', async () => {
    const asked: (string | null)[] = []
    const build = (upTo: number) =>
      route({
        ...ticks,
        permission: 'public',
        handle: async function* ({ lastEventId, signal }) {
          asked.push(lastEventId)
          for (let n = Number(lastEventId ?? 0) + 1; n <= upTo; n++) yield { id: String(n), event: 'tick', data: { n } }
          await new Promise((resolve) => signal.addEventListener('abort', resolve))
        },
      })
    const first = await serve([build(3)])
    const stop = new AbortController()
    const seen: number[] = []
    let opened = 0
    const options = { onOpen: () => void opened++, backoff: () => 10 }
    for await (const { data } of createClient({ url: first.url }).events(ticks, { signal: stop.signal }, options)) {
      seen.push(data.n)
      if (data.n === 3) {
        await first.server.close({ graceMs: 100 })
        await serve([build(6)], first.port)
      }
      if (data.n === 6) stop.abort()
    }
    expect(seen).toEqual([1, 2, 3, 4, 5, 6])
    expect(asked).toEqual([null, '3'])
    expect(opened).toBe(2)
  })

  test('a refusal is thrown at once, a server that stays away after the last attempt', async () => {
    const { url, server } = await serve([route({ ...ticks, permission: 'ticks:read', handle: async function* () {} })])
    const read = (backoff: (attempt: number) => number | null) =>
      collect(createClient({ url }).events(ticks, {}, { backoff }))
    expect(await read(() => 1).catch(asError)).toMatchObject({ code: 'unauthenticated' })
    await server.close()
    const attempts: number[] = []
    const gone = await read((attempt) => {
      attempts.push(attempt)
      return attempt > 3 ? null : 1
    }).catch(asError)
    expect(gone).toMatchObject({ code: 'server-unreachable' })
    expect(Math.max(...attempts)).toBe(4)
  })
})

describe('bytes', () => {
  test('come with their media type', async () => {
    const body = new Uint8Array([0, 1, 2, 255])
    const { url } = await serve([
      route({ ...file, permission: 'public', handle: () => ({ mediaType: 'application/x-hat', body }) }),
    ])
    const content = await createClient({ url }).bytes(file, {})
    expect(content.mediaType).toBe('application/x-hat')
    expect(new Uint8Array(await new Response(content.body).arrayBuffer())).toEqual(body)
  })
})

test('a call that leaves out what the endpoint needs does not compile', () => {
  const client = createClient({ url: 'http://any' })
  const calls = [
    // @ts-expect-error the path needs an id
    () => client.call(hat),
    // @ts-expect-error the id is text
    () => client.call(hat, { params: { id: 7 } }),
    // @ts-expect-error this endpoint answers in lines
    () => client.call(count, { query: { to: 1 } }),
  ]
  expect(calls).toHaveLength(3)
})

function asError(error: unknown): AppError {
  if (error instanceof AppError) return error
  throw error
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}
