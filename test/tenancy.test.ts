import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { RunningServer } from '../src/app/server.ts'
import { approve, createGatewayRoute, createKeyEndpoint, startGateway, startRun } from '../src/contract.ts'
import { createSource } from '../src/external-api/webhooks/sources-contract.ts'
import { asId, type TenantId } from '../src/foundation/kernel/ids.ts'
import { openBlobStore } from '../src/foundation/platform/blobs/index.ts'
import type { Route } from '../src/foundation/platform/http/route.ts'
import { appendEvents } from '../src/foundation/runtime/event-log.ts'
import { makeTenant, startApi, type TestApi } from './support/api.ts'
import { type DatabaseKind, openTestDatabase, type TestDatabase } from './support/databases.ts'
import { nameColumns, plantRow, rowsOf, tenantTables } from './support/foreign-rows.ts'
import { recording } from './support/recording-database.ts'
import { inputSchemaOf, smallestOf } from './support/schema-values.ts'

/** Stands in every text of the foreign tenant; nothing that we get may hold it. */
const marker = 'theirs7f3a'
/** Stands in what the foreign tenant's things are called; we ask by these names, and find no more than the name. */
const called = 'known5b1c'
const foreign = asId<TenantId>('ten-b')
const kinds: readonly DatabaseKind[] = ['pglite', 'postgres']

describe.each(kinds)('no route lets a tenant reach another, on %s', (kind) => {
  let use: TestDatabase
  let api: TestApi
  let statements: string[]
  let key: string
  let theirKey: string
  /** Ids and names of the foreign tenant's things, some of every table. */
  let candidates: string[]

  beforeAll(async () => {
    use = await openTestDatabase(kind)
    const recorded = recording(use.db)
    statements = recorded.statements
    api = await startApi(recorded.database)
    key = (await makeTenant(api, 'ten-a')).key
    const { client, key: foreignKey } = await makeTenant(api, foreign)
    theirKey = foreignKey
    await fill(client)
    // What is recorded late of our own preparations is not to be taken for a change.
    await use.owner('update access_keys set last_used_at = now()')
    candidates = await readCandidates()
  }, 120_000)

  afterAll(async () => {
    await api.close()
    await use.close()
  })

  /** Things made by the API itself, then a row in every table that has none yet. */
  async function fill(client: TestApi['owner']): Promise<void> {
    const source = {
      text: `name: ${marker}\nsteps:\n  ask:\n    approval: { message: ${marker} }\n`,
      fileName: 'x.yaml',
    }
    const run = await client.call(startRun, { body: { source, labels: { a: marker } } })
    await client.call(createKeyEndpoint, { body: { name: called } })
    await client.call(createSource, { body: { name: called, preset: 'github' } })
    const targets = [{ name: 'main', weight: 1, upstreams: [{ name: 'one', url: `https://${marker}.example` }] }]
    const managed = { name: called, match: { path: `/${called}/*` }, targets }
    await client.call(createGatewayRoute, { body: managed as never })
    const { owner, db } = use
    for (const table of await tenantTables(owner)) {
      const [row] = await owner<{ found: boolean }>(
        `select exists (select from "${table}" where tenant_id = $1) as found`,
        [foreign],
      )
      if (row!.found === false) await plantRow(owner, table, foreign, marker, called)
    }
    const subject = { kind: 'thing', id: marker, rev: 1 }
    const event = {
      tenant: foreign,
      type: `thing.${marker}`,
      subject,
      runId: run.id,
      at: db.clock.now(),
      data: { marker },
    }
    await db.forTenant(foreign).write((tx) => appendEvents(tx, [event]))
    const blobs = openBlobStore({
      location: null,
      dataFolder: api.server.folder,
      database: db,
      variable: () => undefined,
    })
    await blobs.put(`${foreign}/${marker}-artifacts`, new TextEncoder().encode(marker))
  }

  async function readCandidates(): Promise<string[]> {
    const { owner } = use
    const found = new Set<string>([foreign])
    for (const table of await tenantTables(owner)) {
      const columns = await owner<{ name: string }>(
        `select attname as name from pg_attribute where attrelid = $1::regclass and attnum > 0
           and attname = any($2) and format_type(atttypid, null) = 'text'`,
        [table, nameColumns],
      )
      for (const { name } of columns) {
        const [row] = await owner<{ value: string | null }>(
          `select "${name}" as value from "${table}" where tenant_id = $1 limit 1`,
          [foreign],
        )
        if (row?.value) found.add(row.value)
      }
    }
    return [...found]
  }

  const inOrder = () => api.server.routes.toSorted((a, b) => rank(a) - rank(b))

  /** One request of the tenant `ten-a`; `id` stands wherever the route takes a text. */
  async function ask(route: Route, id: string, as = key) {
    const before = statements.length
    const reply = await inject(api.server, route, id, as)
    const detail = reply.body.replaceAll(id, 'ID').replaceAll(encodeURIComponent(id), 'ID')
    const problem = reply.headers['content-type']?.toString().startsWith('application/problem')
      ? JSON.parse(detail)
      : null
    return {
      status: reply.statusCode,
      answer: problem === null ? null : { ...problem, requestId: '' },
      body: reply.body,
      // Words of the statements alone: values differ. Some are sent side by side, so their order says nothing.
      statements: statements
        .slice(before)
        .map((text) => text.replace(/\s+/g, ' '))
        .sort(),
    }
  }

  /**
   * What is asked of the database for one id and not for the other, each time of three; null: nothing. What an earlier request
   * has set going may fall between two of them once.
   */
  async function askedApart(
    route: Route,
    id: string,
    first: readonly Awaited<ReturnType<typeof ask>>[],
  ): Promise<string | null> {
    let pair = first
    for (let time = 1; ; time++) {
      const [theirs, nobodys] = pair.map((asked) => asked.statements) as [string[], string[]]
      if (JSON.stringify(theirs) === JSON.stringify(nobodys)) return null
      const apart = [
        ...theirs.filter((text) => !nobodys.includes(text)),
        ...nobodys.filter((text) => !theirs.includes(text)),
      ]
      if (time === 3) return apart.join('; ').slice(0, 500)
      pair = [await ask(route, id), await ask(route, absent(id))]
    }
  }

  test('the walk sees routes and things at all', () => {
    expect(api.server.routes.length).toBeGreaterThan(40)
    expect(candidates.length).toBeGreaterThan(20)
    expect(candidates.some((id) => id.startsWith('run_'))).toBe(true)
  })

  // Before the walk, which stops the streams of its own tenant as well.
  test('an event stream holds what is ours, from wherever it is read', async () => {
    const own = asId<TenantId>('ten-a')
    const sentinel = { kind: 'thing', id: 'last', rev: 1 }
    const at = use.db.clock.now()
    await use.db
      .forTenant(own)
      .write((tx) =>
        appendEvents(tx, [{ tenant: own, type: 'thing.last', subject: sentinel, runId: null, at, data: null }]),
      )
    const url = `${api.server.localUrl}/api/v1/events?from=start`
    const theirPlace = /^id: (\S+)$/m.exec(await readUntil(url, theirKey, {}, 'data:'))?.[1]
    expect(theirPlace).toMatch(/^1\.\d+\.\d+$/)
    for (const headers of [{}, { 'last-event-id': theirPlace! }]) {
      const text = await readUntil(url, key, headers, 'thing.last')
      expect(text.split('\n').filter((line) => line.includes(marker))).toEqual([])
      expect(text).toContain('thing.last')
    }
  })

  test('whatever is asked of whatever route, a thing of another tenant is as one that is not there', {
    timeout: 600_000,
  }, async () => {
    // When their own key was used last is written down a few seconds later, which is nothing that we do.
    const theirRows = async () => ({
      ...(await rowsOf(use.owner, foreign)),
      access_keys: await use.owner(
        `select to_jsonb(k) - 'last_used_at' as row from access_keys k where tenant_id = $1 order by id`,
        [foreign],
      ),
    })
    const before = await theirRows()
    const faults: string[] = []
    for (const route of inOrder()) {
      if (isLong(route)) continue
      const ids = route.path.includes(':') ? candidates : candidates.slice(0, takesText(route) ? 10 : 1)
      for (const id of ids) {
        const name = `${route.method} ${route.path} ${id}`
        const theirs = await ask(route, id)
        const nobodys = await ask(route, absent(id))
        const shown = theirs.body.replaceAll(id, '')
        // Once we have written, their names stand in what we wrote.
        if (shown.includes(marker) || (route.method === 'GET' && shown.includes(called)))
          faults.push(`${name}: shows ${theirs.body.slice(0, 300)}`)
        if (theirs.status >= 500) faults.push(`${name}: ${theirs.status} ${theirs.body.slice(0, 300)}`)
        // Public routes have no tenant: what they tell apart is for their own tests.
        if (route.permission === 'public') continue
        if (theirs.status !== nobodys.status || JSON.stringify(theirs.answer) !== JSON.stringify(nobodys.answer))
          faults.push(
            `${name}: tells apart ${theirs.status} ${JSON.stringify(theirs.answer)} and ${nobodys.status} ${JSON.stringify(nobodys.answer)}`,
          )
        const told = await askedApart(route, id, [theirs, nobodys])
        if (told !== null) faults.push(`${name}: asks the database otherwise, so its time may tell: ${told}`)
      }
    }
    expect(faults.slice(0, 20)).toEqual([])
    expect(await theirRows()).toEqual(before)
  })

  test('what is asked of a thing that is not there is not found, rather than empty', async () => {
    const faults: string[] = []
    for (const route of inOrder()) {
      if (route.method !== 'GET' || route.permission === 'public' || !/:|\*/.test(route.path)) continue
      if (isLong(route) || route.permission.startsWith('platform:')) continue
      for (const id of [absent(candidates.find((name) => name.startsWith('run_'))!), absent(called)]) {
        const { statusCode } = await inject(api.server, { ...route, query: null }, id, key)
        // 400: where no such thing can be called so.
        if (statusCode !== 404 && statusCode !== 400) faults.push(`${route.method} ${route.path} ${id}: ${statusCode}`)
      }
    }
    expect(faults).toEqual([])
  })

  test('no caller but one above tenants can speak for another tenant', async () => {
    const faults: string[] = []
    for (const route of inOrder()) {
      if (route.permission === 'public') continue
      const reply = await inject(api.server, route, candidates[0]!, key, { 'leanvibe-tenant': foreign })
      if (reply.statusCode !== 403) faults.push(`${route.method} ${route.path}: ${reply.statusCode}`)
    }
    expect(faults).toEqual([])
  })

  test('no route is open without a key, but those that say so', async () => {
    const faults: string[] = []
    for (const route of inOrder()) {
      if (route.permission === 'public') continue
      const reply = await inject(api.server, route, candidates[0]!, null)
      if (reply.statusCode !== 401) faults.push(`${route.method} ${route.path}: ${reply.statusCode}`)
    }
    expect(faults).toEqual([])
    const open = api.server.routes
      .filter(({ permission }) => permission === 'public')
      .map(({ method, path }) => `${method} ${path}`)
    expect(
      open.filter((name) => !knownOpen.test(name)),
      'public routes that are not known here',
    ).toEqual([])
  })

  test('the owner of a tenant does not get above it', async () => {
    const faults: string[] = []
    for (const route of inOrder()) {
      if (!route.permission.startsWith('platform:')) continue
      const reply = await inject(api.server, route, foreign, key)
      if (reply.statusCode !== 403) faults.push(`${route.method} ${route.path}: ${reply.statusCode}`)
    }
    expect(faults).toEqual([])
    const reply = await inject(
      api.server,
      find('POST', '/api/v1/keys'),
      'x',
      key,
      {},
      { name: 'up', role: 'owner', platform: true },
    )
    expect(reply.json()).toMatchObject({ code: 'key-beyond-giver' })
  })

  test('what answers below a prefix asks for a key, and knows the things of its own tenant alone', async () => {
    const at = async (path: string, headers: Record<string, string>) => {
      const before = statements.length
      const reply = await fetch(api.server.localUrl + path, { headers })
      const body = (await reply.text()).replaceAll(path.split('/')[2]!, 'ID').replaceAll(/"requestId":"[^"]*"/g, '')
      return { status: reply.status, body, statements: statements.slice(before) }
    }
    expect(api.server.mounts.map(({ prefix }) => prefix)).toEqual(['/gateway', '/mcp'])
    // The walk has stopped it.
    await fetch(`${api.server.localUrl}${startGateway.path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: '{}',
    })
    const own = { authorization: `Bearer ${key}` }
    // Its tools are held to this in test/mcp/mcp-server.test.ts; here it asks who calls, as every route does.
    expect((await at('/mcp/x', {})).status).toBe(401)
    expect((await at('/mcp/x', { ...own, 'leanvibe-tenant': foreign })).status).toBe(403)
    for (const prefix of ['/gateway']) {
      // The key is looked up once a second.
      await at(`${prefix}/${called}/x`, own)
      const theirs = await at(`${prefix}/${called}/x`, own)
      expect(theirs).toEqual(await at(`${prefix}/${absent(called)}/x`, own))
      expect(theirs.status).toBe(404)
      expect((await at(`${prefix}/${called}/x`, { ...own, 'leanvibe-tenant': foreign })).status).toBe(403)
      expect((await at(`${prefix}/${called}/x`, {})).status).toBe(401)
      // Its own tenant is led to it: there is no such host.
      expect((await at(`${prefix}/${called}/x`, { authorization: `Bearer ${theirKey}` })).status).toBe(502)
    }
  })

  function find(method: string, path: string): Route {
    const found = api.server.routes.find((route) => route.method === method && route.path === path)
    if (found === undefined) throw new Error(`no route ${method} ${path}`)
    return found
  }

  test('an answer given by us does not reach their question', async () => {
    const [approval] = await use.owner<{ id: string }>(`select id from approvals where tenant_id = $1`, [foreign])
    const reply = await inject(api.server, find(approve.method, approve.path), approval!.id, key)
    expect(reply.json()).toMatchObject({ status: 404 })
  })
})

/** Public on purpose: health, documents, and doors that ask for proofs of their own. */
const knownOpen =
  /^(GET \/(livez|readyz|openapi\.json|docs|docs\/reference\.css|\.well-known\/agent-card\.json|a2a\/:agent\/\.well-known\/agent-card\.json)|POST \/a2a\/notifications|\w+ \/(api\/v1\/)?(hooks|webhooks|service-callbacks)\/\S*)$/

/** Reads first, so that what writes cannot have changed what they see. */
function rank({ method }: Route): number {
  return ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'].indexOf(method)
}

/** Streams do not end by themselves; they have a test of their own. */
function isLong({ reply, path }: Route): boolean {
  return reply === 'events' || reply === 'socket' || path.endsWith('/openapi.json')
}

function takesText({ query, body }: Route): boolean {
  return query !== null || body !== null
}

/** An id of the same form that nothing has. */
function absent(id: string): string {
  return id.replace(/[0-9a-z](?=[^0-9a-z]*$)/, (last) => (last === 'q' ? 'p' : 'q'))
}

function inject(
  server: RunningServer,
  route: Route,
  id: string,
  as: string | null,
  headers: Record<string, string> = {},
  body?: object,
) {
  const url = route.path.replace(/:\w+|\*$/g, encodeURIComponent(id))
  const query = route.query === null ? '' : queryOf(route, id)
  const payload = body ?? (route.body === null ? undefined : (smallestOf(inputSchemaOf(route.body), id) as object))
  return server.inject({
    method: route.method as 'GET',
    url: url + query,
    headers: { ...(as === null ? {} : { authorization: `Bearer ${as}` }), ...headers },
    ...(route.method === 'GET' || payload === undefined ? {} : { payload }),
  })
}

/** Filters by run, task and the like, where the route has them. */
function queryOf({ query }: Route, id: string): string {
  const { properties = {} } = inputSchemaOf(query!) as {
    properties?: Record<string, { type?: string; enum?: unknown }>
  }
  const fields = Object.entries(properties)
    .filter(
      ([name, field]) =>
        field.type === 'string' && field.enum === undefined && !['after', 'follow', 'from', 'types'].includes(name),
    )
    .map(([name]): [string, string] => [name, id])
  return fields.length === 0 ? '' : `?${new URLSearchParams(fields)}`
}

async function readUntil(url: string, as: string, headers: Record<string, string>, last: string): Promise<string> {
  const stop = AbortSignal.timeout(20_000)
  const reply = await fetch(url, { headers: { authorization: `Bearer ${as}`, ...headers }, signal: stop })
  let text = ''
  const decoder = new TextDecoder()
  for await (const chunk of reply.body!) {
    text += decoder.decode(chunk, { stream: true })
    if (text.includes(last)) break
  }
  return text
}
