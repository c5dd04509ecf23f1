import { createServer, request as httpRequest } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Client, ProtocolError, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createClient } from '../../src/client/index.ts'
import { createKeyEndpoint, startRun } from '../../src/contract.ts'
import type { JsonObject } from '../../src/foundation/kernel/json.ts'
import { makeTenant, startApi, type TestApi } from '../support/api.ts'
import { openTestDatabase, type TestDatabase } from '../support/databases.ts'

let use: TestDatabase
let api: TestApi
let key: string
let foreignRun: string
const clients: Client[] = []

beforeAll(async () => {
  use = await openTestDatabase('pglite')
  api = await startApi(use.db, {
    work: true,
    yaml: 'rateLimits: { ip: none, failures: none, key: 300/1m, tenant: none, route: none }\n',
  })
  key = (await api.owner.call(createKeyEndpoint, { body: { name: 'all', role: 'owner' } })).key
  const { client } = await makeTenant(api, 'ten-b')
  foreignRun = (await client.call(startRun, { body: { source: workflow('approval') } })).id
}, 120_000)

afterAll(async () => {
  await Promise.all(clients.map((client) => client.close()))
  await api?.close()
  await use?.close()
})

const steps = {
  approval: '{ ask: { approval: { message: may it go on? } } }',
  script: `{ make: { script: 'printf hello; printf "# Report" > "$LEANVIBE_OUT/report.md"', outputs: { text: stdout } } }`,
}
function workflow(kind: keyof typeof steps) {
  return { text: `name: mcp-${kind}\nsteps: ${steps[kind]}\n`, fileName: 'mcp.yaml' }
}

async function connect(token: string, mode: 'legacy' | 'auto' = 'legacy'): Promise<Client> {
  const client = new Client({ name: 'test', version: '1' }, { versionNegotiation: { mode } })
  const requestInit = { headers: { authorization: `Bearer ${token}` } }
  await client.connect(new StreamableHTTPClientTransport(new URL('/mcp', api.server.url), { requestInit }))
  clients.push(client)
  return client
}

async function limitedKey(...scopes: string[]): Promise<string> {
  return (await api.owner.call(createKeyEndpoint, { body: { name: scopes.join(' '), role: 'owner', scopes } })).key
}

// biome-ignore lint/suspicious/noExplicitAny: answers of many shapes, each looked at by its test
type Answer = Record<string, any>

async function call(client: Client, name: string, args: JsonObject = {}) {
  const answer = await client.callTool({ name, arguments: args })
  return { failed: answer.isError === true, ...(answer.structuredContent as JsonObject), answer } as Answer
}

describe.each(['legacy', 'auto'] as const)('the fleet as an MCP server over HTTP, %s handshake', (mode) => {
  let client: Client
  beforeAll(async () => {
    client = await connect(key, mode)
  })

  test('tells its tools and its templates', async () => {
    expect(client.getNegotiatedProtocolVersion()).toBe(mode === 'auto' ? '2026-07-28' : '2025-11-25')
    const { tools } = await client.listTools()
    expect(tools.map(({ name }) => name)).toEqual(
      expect.arrayContaining([
        'start_run',
        'list_runs',
        'wait_run',
        'read_artifact',
        'approve',
        'answer_question',
        'cancel_run',
      ]),
    )
    expect(tools.find(({ name }) => name === 'start_run')).toMatchObject({
      inputSchema: { type: 'object', required: ['workflow'] },
      annotations: { readOnlyHint: false },
    })
    const { resourceTemplates } = await client.listResourceTemplates()
    expect(resourceTemplates.map(({ uriTemplate }) => uriTemplate)).toContain('leanvibe://runs/{run}')
  })

  test('starts a run, waits for it, and reads what it made', async () => {
    const { items } = await call(client, 'list_workflows')
    expect(items.map(({ name }: { name: string }) => name)).toContain('repo-checkup')
    const owner = createClient({ url: api.server.localUrl, token: key })
    const { id } = await owner.call(startRun, { body: { source: workflow('script') } })
    const progress: string[] = []
    const waited = await client.callTool(
      { name: 'wait_run', arguments: { run: id, seconds: 60 } },
      { onprogress: ({ message }) => void progress.push(message ?? '') },
    )
    expect(waited.structuredContent).toMatchObject({ run: { id, state: 'succeeded' }, waiting: [] })
    expect(progress.at(-1)).toBe('succeeded: 1 of 1 steps')
    expect(await call(client, 'read_outputs', { run: id })).toMatchObject({
      steps: { make: { outputs: { text: 'hello' } } },
    })
    const listed = await call(client, 'list_artifacts', { run: id })
    const artifact = listed.items[0].id as string
    const read = await call(client, 'read_artifact', { artifact, offset: 2 })
    expect(read.answer.content).toEqual([{ type: 'text', text: 'Report' }])
    const { contents } = await client.readResource({ uri: `leanvibe://artifacts/${artifact}` })
    expect(contents[0]).toMatchObject({ mimeType: 'text/markdown', text: '# Report' })
    const logs = await call(client, 'read_logs', { run: id })
    expect(logs.answer.content).toEqual([{ type: 'text', text: 'hello' }])
    const { resources } = await client.listResources()
    expect(resources.map(({ uri }) => uri)).toContain(`leanvibe://runs/${id}`)
    const shown = await client.readResource({ uri: `leanvibe://runs/${id}` })
    expect(JSON.parse((shown.contents[0] as { text: string }).text)).toMatchObject({ run: { id } })
  })

  test('events of a run go on behind the last cursor that was seen', async () => {
    const { items: runs } = await call(client, 'list_runs', { state: 'succeeded' })
    const first = await call(client, 'run_events', { run: runs[0].id, limit: 2 })
    expect(first.items).toHaveLength(2)
    const rest = await call(client, 'run_events', { run: runs[0].id, after: first.next, limit: 100 })
    const all = await call(client, 'run_events', { run: runs[0].id, limit: 100 })
    expect([...first.items, ...rest.items]).toEqual(all.items)
  })

  test('answers what a run asks of people', async () => {
    const owner = createClient({ url: api.server.localUrl, token: key })
    const { id } = await owner.call(startRun, { body: { source: workflow('approval') } })
    const { waiting } = await call(client, 'wait_run', { run: id })
    expect(waiting).toMatchObject([{ kind: 'approval', message: 'may it go on?' }])
    expect(await call(client, 'approve', { approval: waiting[0].id, comment: 'go' })).toMatchObject({
      state: 'approved',
    })
    expect(await call(client, 'wait_run', { run: id })).toMatchObject({ run: { state: 'succeeded' } })
  })

  test('cancels a run', async () => {
    const owner = createClient({ url: api.server.localUrl, token: key })
    const { id } = await owner.call(startRun, { body: { source: workflow('approval') } })
    expect((await call(client, 'cancel_run', { run: id, reason: 'enough' })).failed).toBe(false)
    expect(await call(client, 'wait_run', { run: id })).toMatchObject({ run: { state: 'cancelled' } })
  })

  test("another tenant's run is not found, by any tool or resource", async () => {
    for (const name of [
      'show_run',
      'wait_run',
      'read_outputs',
      'list_artifacts',
      'read_logs',
      'run_events',
      'cancel_run',
    ]) {
      expect(await call(client, name, { run: foreignRun })).toMatchObject({
        failed: true,
        error: { code: 'run-not-found' },
      })
    }
    const reading = client.readResource({ uri: `leanvibe://runs/${foreignRun}` })
    await expect(reading).rejects.toMatchObject({ message: expect.stringContaining('not found') })
    const { items } = await call(client, 'list_runs', { limit: 100 })
    expect(items.map(({ id }: { id: string }) => id)).not.toContain(foreignRun)
    expect(await call(client, 'list_approvals', { run: foreignRun })).toMatchObject({ items: [] })
  })

  test('a tool that is not there, and arguments that do not fit, are told', async () => {
    await expect(client.callTool({ name: 'nothing', arguments: {} })).rejects.toThrow(ProtocolError)
    const wrong = await call(client, 'wait_run', { run: 'x', seconds: 'long' })
    expect(wrong).toMatchObject({ failed: true, error: { code: 'invalid-input' } })
    expect(await call(client, 'start_run', { workflow: 'no-such-thing' })).toMatchObject({ failed: true })
    expect(api.errors).toEqual([])
  })
})

test('a key that lacks a permission does not see the tools, and is refused when it calls them', async () => {
  const reader = await connect(await limitedKey('runs:read'))
  const { tools } = await reader.listTools()
  const names = tools.map(({ name }) => name)
  expect(names).toContain('list_runs')
  for (const name of ['start_run', 'cancel_run', 'approve', 'list_approvals']) expect(names).not.toContain(name)
  expect(await call(reader, 'start_run', { workflow: 'repo-checkup' })).toMatchObject({
    failed: true,
    error: { code: 'forbidden', message: expect.stringContaining('runs:write') },
  })
  for (const [name, args] of [
    ['cancel_run', { run: 'x' }],
    ['approve', { approval: 'x' }],
    ['reject', { approval: 'x' }],
    ['list_approvals', {}],
    ['list_questions', {}],
    ['answer_question', { question: 'x', text: 'y' }],
    ['list_workflows', {}],
  ] as const) {
    expect(await call(reader, name, args), name).toMatchObject({ failed: true, error: { code: 'forbidden' } })
  }
  expect((await call(reader, 'list_runs')).failed).toBe(false)
  const approver = await connect(await limitedKey('approvals:read'))
  expect((await approver.listResources()).resources).toEqual([])
})

describe('what stands before the tools', () => {
  const post = (body: string, headers: Record<string, string> = {}) =>
    fetch(new URL('/mcp', api.server.url), {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        authorization: `Bearer ${key}`,
        ...headers,
      },
      body,
    })
  const ping = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping' })

  test('nobody without a key, nothing but one JSON message, no other path', async () => {
    expect((await post(ping, { authorization: '' })).status).toBe(401)
    expect((await post(ping, { authorization: 'Bearer lv_wrong' })).status).toBe(401)
    expect((await post(ping, { 'content-type': 'text/plain' })).status).toBe(415)
    expect((await post('{"jsonrpc"')).status).toBe(400)
    expect((await post(`[${ping},${ping}]`)).status).toBe(400)
    expect((await post(`"${'x'.repeat(5_000_000)}"`)).status).toBe(413)
    const elsewhere = await fetch(new URL('/mcp/other', api.server.url), {
      headers: { authorization: `Bearer ${key}` },
    })
    expect(elsewhere.status).toBe(404)
    expect((await fetch(new URL('/mcp', api.server.url), { headers: { authorization: `Bearer ${key}` } })).status).toBe(
      405,
    )
  })

  test('the limits of keys hold, and are told', async () => {
    const limited = await limitedKey('runs:read')
    const answers = await Promise.all(
      Array.from({ length: 310 }, () => post(ping, { authorization: `Bearer ${limited}` })),
    )
    const refused = answers.filter(({ status }) => status === 429)
    expect(refused.length).toBeGreaterThan(0)
    expect(refused[0]!.headers.get('retry-after')).not.toBeNull()
    expect(answers.find(({ status }) => status === 200)!.headers.get('ratelimit')).toContain('key')
  })

  test('a client that goes away ends its wait', async () => {
    const owner = createClient({ url: api.server.localUrl, token: key })
    const source = { text: 'name: slow\nsteps: { wait: { wait: { for: 1h } } }\n', fileName: 'slow.yaml' }
    const { id } = await owner.call(startRun, { body: { source } })
    const client = await connect(key)
    const stop = new AbortController()
    const progress = Promise.withResolvers<void>()
    const waiting = client.callTool(
      { name: 'wait_run', arguments: { run: id, seconds: 300 } },
      { signal: stop.signal, onprogress: () => progress.resolve() },
    )
    waiting.catch(() => {})
    await progress.promise
    stop.abort(new Error('never mind'))
    await expect(waiting).rejects.toThrow()
    expect((await call(client, 'show_run', { run: id })).failed).toBe(false)
  })
})

describe('a stream that breaks', () => {
  /** Passes on to the server, and cuts the first answer that streams once it has said something. */
  async function cuttingProxy() {
    const seen: { method: string; lastEventId: string | undefined; status: number }[] = []
    let cuts = 0
    const server = createServer((request, response) => {
      const { url, headers, method = '' } = request
      const target = httpRequest(
        new URL(url!, api.server.url),
        { method, headers: { ...headers, host: new URL(api.server.url).host } },
        (answer) => {
          seen.push({ method, lastEventId: headers['last-event-id'] as string | undefined, status: answer.statusCode! })
          response.writeHead(answer.statusCode!, answer.headers)
          answer.on('data', (chunk: Buffer) => {
            response.write(chunk)
            if (cuts > 0 || !chunk.includes('notifications/progress')) return
            cuts += 1
            setImmediate(() => {
              response.destroy()
              target.destroy()
            })
          })
          answer.on('end', () => response.end())
          answer.on('error', () => response.destroy())
        },
      )
      target.on('error', () => response.destroy())
      request.pipe(target)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    return { url: `http://127.0.0.1:${port}`, seen, cuts: () => cuts, close: () => server.close() }
  }

  test('is taken up again by the SDK where it broke: nothing is missed, nothing comes twice', async () => {
    const proxy = await cuttingProxy()
    const client = new Client({ name: 'test', version: '1' }, { versionNegotiation: { mode: 'legacy' } })
    const requestInit = { headers: { authorization: `Bearer ${key}` } }
    await client.connect(new StreamableHTTPClientTransport(new URL('/mcp', proxy.url), { requestInit }))
    try {
      const owner = createClient({ url: api.server.localUrl, token: key })
      const source = { text: `name: slow\nsteps: { one: { script: 'sleep 3' } }\n`, fileName: 'slow.yaml' }
      const { id } = await owner.call(startRun, { body: { source } })
      const progress: string[] = []
      const waited = await client.callTool(
        { name: 'wait_run', arguments: { run: id, seconds: 60 } },
        { onprogress: ({ message }) => void progress.push(message ?? '') },
      )
      expect(proxy.cuts()).toBe(1)
      expect(waited.structuredContent).toMatchObject({ run: { id, state: 'succeeded' } })
      expect(progress.at(-1)).toBe('succeeded: 1 of 1 steps')
      expect(progress).toEqual([...new Set(progress)])
      const resumed = proxy.seen.filter(({ lastEventId }) => lastEventId !== undefined)
      expect(resumed).toMatchObject([{ method: 'GET', status: 200 }])
    } finally {
      await client.close()
      proxy.close()
    }
  })

  test('belongs to whoever asked: another key, and an unknown place, are told that there is nothing', async () => {
    const ask = (token: string, init: { method: string; body?: string; last?: string }) =>
      fetch(new URL('/mcp', api.server.url), {
        method: init.method,
        headers: {
          authorization: `Bearer ${token}`,
          accept: 'application/json, text/event-stream',
          'content-type': 'application/json',
          'mcp-protocol-version': '2025-11-25',
          ...(init.last === undefined ? {} : { 'last-event-id': init.last }),
        },
        ...(init.body === undefined ? {} : { body: init.body }),
      })
    const params = { name: 'list_workflows', arguments: {} }
    const body = JSON.stringify({ jsonrpc: '2.0', id: 7, method: 'tools/call', params })
    const text = await (await ask(key, { method: 'POST', body })).text()
    const ids = [...text.matchAll(/^id: (\S+)$/gm)].map((match) => match[1]!)
    expect(ids).toHaveLength(2)
    // The answer again, by the name of the event before it; and nothing more behind the last.
    const again = await ask(key, { method: 'GET', last: ids[0]! })
    expect(await again.text()).toContain('"id":7')
    expect(await (await ask(key, { method: 'GET', last: ids[1]! })).text()).toBe('')
    const other = (await api.owner.call(createKeyEndpoint, { body: { name: 'other', role: 'owner' } })).key
    expect((await ask(other, { method: 'GET', last: ids[0]! })).status).toBe(404)
    expect((await ask(key, { method: 'GET', last: 'mcs_none.1' })).status).toBe(404)
    expect((await ask(key, { method: 'GET' })).status).toBe(405)
  })
})
