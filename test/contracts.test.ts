import { randomBytes } from 'node:crypto'
import { request as httpRequest } from 'node:http'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from '../src/foundation/kernel/schema.ts'
import type { Route } from '../src/foundation/platform/http/route.ts'
import { startApi, type TestApi } from './support/api.ts'
import { openTestDatabase, type TestDatabase } from './support/databases.ts'
import { fittingOf, hostileText, inputSchemaOf, nearOf } from './support/schema-values.ts'

/** Cases per route. FUZZ_RUNS=500 looks longer. */
const runs = Number(process.env.FUZZ_RUNS ?? 12)

describe('every contract, fed from its own schema', () => {
  let use: TestDatabase
  let api: TestApi

  beforeAll(async () => {
    use = await openTestDatabase('pglite')
    api = await startApi(use.db)
  }, 120_000)

  afterAll(async () => {
    await api.close()
    await use.close()
  })

  /** Answers that may have no end: these are asked over a socket, and only for how they begin. */
  const isOpen = ({ reply }: Route) =>
    reply === 'events' || reply === 'socket' || reply === 'lines' || reply === 'relay'
  const isAsked = (route: Route) => !isOpen(route) && route.reply !== 'page' && route.path !== '/openapi.json'

  test('never answers 5xx, and every refusal says what to do', { timeout: 600_000 }, async () => {
    const routes = api.server.routes.filter(isAsked)
    expect(routes.length).toBeGreaterThan(40)
    for (const route of routes) {
      await fc.assert(
        fc.asyncProperty(requestOf(route), async (request) => {
          const reply = await api.server.inject({
            ...request,
            headers: { authorization: `Bearer ${api.server.token}`, ...request.headers },
          })
          judge(request, reply.statusCode, reply.body)
        }),
        { numRuns: runs },
      )
    }
    expect(api.errors).toEqual([])
  })

  test('never begins a stream, a socket or a relay with 5xx either', { timeout: 600_000 }, async () => {
    const routes = api.server.routes.filter(isOpen)
    expect(new Set(routes.map(({ reply }) => reply))).toEqual(new Set(['events', 'socket', 'lines', 'relay']))
    for (const route of routes) {
      const upgrade = { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13' }
      await fc.assert(
        fc.asyncProperty(requestOf(route), fc.boolean(), async (asked, asSocket) => {
          const own = asSocket && route.reply === 'socket' ? { ...upgrade, 'sec-websocket-key': randomKey() } : {}
          const headers = { authorization: `Bearer ${api.server.token}`, ...asked.headers, ...own }
          const { status, body } = await beginningOf(api.server.localUrl, { ...asked, headers })
          // Whoever speaks the dialect of a provider is told failures in its form.
          if (route.failure === null) judge(asked, status, body)
          else if (status >= 500 && status !== 503) throw new Error(`${asked.url}: ${status} ${body}`)
        }),
        { numRuns: runs },
      )
    }
    expect(api.errors).toEqual([])
  })

  test('refuses a field of a body that it does not know, but from programs of other versions', () => {
    const withBody = api.server.routes.filter(({ body }) => body !== null)
    const open = withBody.filter(({ body }) => {
      const { type, additionalProperties } = inputSchemaOf(body!) as { type?: string; additionalProperties?: unknown }
      return type === 'object' && additionalProperties === undefined
    })
    const own = open.filter(({ path }) => !/^\/api\/v1\/(runners|runner-tokens\/renew)(\/|$)/.test(path))
    expect(own.map(({ method, path }) => `${method} ${path}`)).toEqual([])
    expect(withBody.length).toBeGreaterThan(40)
  })

  test.each([
    [
      '/api/v1/gateway/routes',
      {
        name: 'e',
        match: { path: '/e/*' },
        targets: [{ name: 'a', upstreams: [{ name: 'b', url: 'https://b.example' }] }],
      },
    ],
    ['/api/v1/webhooks/sources', { name: 'e', preset: 'github' }],
    ['/api/v1/webhooks/subscriptions', { name: 'e', url: 'https://b.example/', types: ['run.*'] }],
    ['/api/v1/members', { name: 'e', role: 'viewer' }],
  ])('%s: who has not seen the newest does not remove it', async (path, payload) => {
    const ask = (method: 'GET' | 'POST' | 'DELETE', url: string, ifMatch?: string) =>
      api.server.inject({
        ...{ method, url, ...(method === 'POST' ? { payload } : {}) },
        headers: { authorization: `Bearer ${api.server.token}`, ...(ifMatch && { 'if-match': ifMatch }) },
      })
    const made = await ask('POST', path)
    expect(made.statusCode).toBe(201)
    const { id = 'e' } = made.json() as { id?: string }
    const thing = `${path}/${id}`
    const { etag } = (await ask('GET', thing)).headers
    expect(etag).toMatch(/^"\d+"$/)
    const refused = await ask('DELETE', thing, '"77"')
    expect(refused.json()).toMatchObject({ status: 412, code: 'precondition-failed' })
    expect((await ask('DELETE', thing, String(etag))).statusCode).toBeLessThan(300)
    const gone = await ask('GET', thing)
    expect(gone.statusCode === 404 || gone.headers.etag !== etag).toBe(true)
  })

  test.each([
    ['/api/v1/budgets', { scope: 'workflow', scopeId: 'e', unit: 'tokens', hardLimit: 5 }],
    ['/api/v1/quotas/e', { provider: 'other' }],
    ['/api/v1/provider-subscriptions/e', { pools: [], window: '5h' }],
  ])('%s: who has not seen the newest does not replace it', async (url, payload) => {
    const put = async (ifMatch?: string) => {
      const headers = { authorization: `Bearer ${api.server.token}`, ...(ifMatch && { 'if-match': ifMatch }) }
      const { statusCode, headers: told } = await api.server.inject({ method: 'PUT', url, payload, headers })
      return { status: statusCode, etag: String(told.etag) }
    }
    const first = await put()
    expect(first).toEqual({ status: 200, etag: expect.stringMatching(/^"\d+"$/) })
    const second = await put(first.etag)
    expect(second.status).toBe(200)
    expect(second.etag).not.toBe(first.etag)
    expect((await put(first.etag)).status).toBe(412)
    expect((await put()).status).toBe(200)
  })

  test('a limit that could not be counted exactly is refused, and no list breaks by it', async () => {
    const headers = { authorization: `Bearer ${api.server.token}` }
    const put = (hardLimit: number) =>
      api.server.inject({
        ...{ method: 'PUT', url: '/api/v1/budgets', headers },
        payload: { scope: 'agent', scopeId: 'e', unit: 'subscription-share', hardLimit },
      })
    const refused = await put(9_007_199_254.740992)
    expect(refused.json()).toMatchObject({ status: 400, code: 'budget-invalid' })
    expect(refused.json().detail).toContain('at most 4500000000 subscription-share')
    expect((await put(4_500_000_000)).statusCode).toBe(200)
    const listed = await api.server.inject({ url: '/api/v1/budgets?scope=agent&scopeId=e', headers })
    expect(listed.json().items).toEqual([expect.objectContaining({ hardLimit: 4_500_000_000 })])
  })

  test('takes what its schema says', async () => {
    // Otherwise the test above would look at refusals alone.
    const accepted = new Set<string>()
    for (const route of api.server.routes.filter(isAsked)) {
      if (route.method !== 'GET' || route.params !== null) continue
      const query = route.query === null ? '' : queryText(fc.sample(fittingOf(inputSchemaOf(route.query)), 1)[0])
      const reply = await api.server.inject({
        url: route.path + query,
        headers: { authorization: `Bearer ${api.server.token}` },
      })
      if (reply.statusCode === 200) accepted.add(route.path)
    }
    expect(accepted.size).toBeGreaterThan(5)
  })
})

/** What is not there now, such as a remote or a model, is no failure of ours, if it is said by its own code. */
function judge({ method, url }: Request, status: number, body: string): void {
  if (status >= 500 && !isForeseen(body)) throw new Error(`${method} ${url}: ${status} ${body}`)
  if (status < 400) return
  const problem = z.object({ status: z.literal(status), code: z.string(), next: z.string().min(1) })
  if (!problem.safeParse(JSON.parse(body)).success) throw new Error(`${url}: no problem: ${body}`)
}

/** The status of an answer, and its body where it is a refusal: others are not waited for. */
function beginningOf(url: string, asked: Request): Promise<{ readonly status: number; readonly body: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ readonly status: number; readonly body: string }>()
  const { method, headers, payload } = asked
  const request = httpRequest(url + asked.url, { method, headers, agent: false }, async (answer) => {
    const status = answer.statusCode ?? 0
    let body = ''
    if (status >= 400) for await (const part of answer.setEncoding('utf8')) body += part
    resolve({ status, body })
    answer.destroy()
  })
  request.on('upgrade', (_answer, socket) => {
    resolve({ status: 101, body: '' })
    socket.destroy()
  })
  request.on('error', reject)
  request.end(payload)
  return promise
}

const randomKey = () => randomBytes(16).toString('base64')

interface Request {
  readonly method: 'GET'
  readonly url: string
  readonly headers: Record<string, string>
  readonly payload?: string
}

function requestOf(route: Route): fc.Arbitrary<Request> {
  const query = route.query === null ? fc.constant({}) : nearOf(inputSchemaOf(route.query))
  const raw = route.rawBody ? fc.option(fc.jsonValue({ maxDepth: 3 }), { nil: undefined }) : fc.constant(undefined)
  const body = route.body === null ? raw : nearOf(inputSchemaOf(route.body))
  const names = [...route.path.matchAll(/:\w+|\*$/g)].map(([name]) => name)
  const params = fc.array(
    hostileText.filter((text) => text !== ''),
    { minLength: names.length, maxLength: names.length },
  )
  const headers = fc.record(
    {
      'idempotency-key': hostileText,
      'if-match': fc.oneof(hostileText, fc.constantFrom('"1"', '*', 'W/"1"', '"')),
      'last-event-id': hostileText,
      traceparent: hostileText,
    },
    { requiredKeys: [] },
  )
  return fc.tuple(query, body, params, headers).map(([asked, payload, values, extra]) => {
    const path = names.reduce(
      (text, name, index) => text.replace(name, () => encodeURIComponent(values[index]!.toWellFormed())),
      route.path,
    )
    const sent = route.method === 'GET' || payload === undefined ? {} : { payload: JSON.stringify(payload) }
    return {
      method: route.method as 'GET',
      url: path + queryText(asked),
      headers: {
        ...('payload' in sent ? { 'content-type': 'application/json' } : {}),
        ...Object.fromEntries(Object.entries(extra).filter(([, text]) => /^[\x20-\x7e]+$/.test(text))),
      },
      ...sent,
    }
  })
}

function queryText(value: unknown): string {
  if (typeof value !== 'object' || value === null) return ''
  const fields = Object.entries(value).map(([name, field]): [string, string] => [
    name,
    (typeof field === 'string' ? field : (JSON.stringify(field) ?? '')).toWellFormed(),
  ])
  return fields.length === 0 ? '' : `?${new URLSearchParams(fields)}`
}

function isForeseen(body: string): boolean {
  const { kind, code } = JSON.parse(body) as { kind: string; code: string }
  return kind === 'unavailable' && code !== 'not-ready'
}
