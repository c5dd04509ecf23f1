import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { defaultPermissions } from '../../../foundation/platform/config/agent-kinds.ts'
import type { McpSettings } from '../../../foundation/platform/config/tool-settings.ts'
import { unconfined } from '../../../foundation/platform/processes/index.ts'
import { MemoryExchange } from '../../runners/memory-exchange.fixture.ts'
import { agentSpec, RunnerKit, registration } from '../../runners/runner-kit.fixture.ts'
import { ScriptedPeople } from '../sessions/ask.fixture.ts'
import { promptOf } from '../sessions/peer-script.fixture.ts'
import { createSessionAdapter } from '../sessions/session-adapter.ts'
import { createMcpDriver } from './mcp-driver.ts'
import { createPeerHandler } from './mcp-peer.fixture.ts'
import { createServerSecrets } from './server-secrets.ts'

const token = 'b3arer-s3cret-value'

describe('an MCP server at an address', () => {
  let kit: RunnerKit
  let server: Server
  /** How the next request is answered, where not by the peer. */
  let fault: 'none' | 'flood' | 'page' = 'none'
  const handler = createPeerHandler({
    garbage: async () => {},
    die: () => server.closeAllConnections(),
  })

  beforeAll(async () => {
    kit = new RunnerKit()
    server = createServer(async (request, response) => {
      if (request.headers.authorization !== `Bearer ${token}`) return void response.writeHead(401).end('who are you?')
      const body: Buffer[] = []
      for await (const chunk of request) body.push(chunk as Buffer)
      const text = Buffer.concat(body).toString()
      if (fault === 'page') return void response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>hello</h1>')
      if (fault === 'flood' && text.includes('tools/call')) {
        response.writeHead(200, { 'content-type': 'application/json' })
        const piece = Buffer.alloc(1_048_576, 'x')
        const closed = once(response, 'close')
        const drained = () => new Promise((resolve) => response.once('drain', resolve))
        while (!response.destroyed) if (!response.write(piece)) await Promise.race([drained(), closed])
        return
      }
      const headers = Object.entries(request.headers).filter(
        (entry): entry is [string, string] => typeof entry[1] === 'string',
      )
      const init = { method: request.method!, headers, ...(text === '' ? {} : { body: text }) }
      const answer = await handler.fetch(new Request('http://localhost/mcp', init))
      response.writeHead(answer.status, Object.fromEntries(answer.headers))
      try {
        for await (const chunk of answer.body ?? []) response.write(chunk)
        response.end()
      } catch {
        response.destroy()
      }
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
  })
  afterAll(async () => {
    server.closeAllConnections()
    server.close()
    await kit.close()
    expect(kit.errors).toEqual([])
  })

  let count = 0
  async function perform(prompt: string, change: { secret?: string | null; callMs?: number; url?: string } = {}) {
    const { port } = server.address() as AddressInfo
    const settings: McpSettings = {
      ...{ kind: 'mcp', tool: 'perform', argument: null },
      server: {
        ...{ name: 'peer', argv: null, url: `http://127.0.0.1:${port}/mcp`, headers: {}, secret: 'TOKEN', env: [] },
        ...{ usual: 'allow', tools: {}, callMs: 20_000, startMs: 20_000, ...change },
      },
    }
    const driver = createMcpDriver({
      ...{ settings, rules: { permissions: defaultPermissions, askMs: 500, silenceMs: null } },
      processes: {
        supervisor: kit.supervisor,
        host: { bubblewrap: null, unshare: null, problem: 'not looked for' },
        rules: unconfined,
      },
      secrets: createServerSecrets({ environmentOf: () => ({}), read: async () => token }),
    })
    expect(driver.enforcement).toBe('reported')
    count += 1
    const hosted = {
      registration: { ...registration(`http-${count}`, 1), kind: 'mcp' },
      adapter: createSessionAdapter(driver, {
        artifacts: kit.artifacts,
        ask: new ScriptedPeople(),
        cancelGraceMs: 500,
      }),
      env: {},
    }
    const exchange = new MemoryExchange([hosted.registration])
    kit.runner(exchange, [hosted], { pollMs: 50, id: `rnr_http${count}` as never })
    const taskId = `tsk_http${count}`
    exchange.enqueue(agentSpec(prompt, { outputs: { text: { from: 'stdout' } } }), { taskId: taskId as never })
    await exchange.settled(1)
    return { ...exchange.accepted[0]!, log: kit.logs.text(taskId) + kit.logs.text(taskId, 'stderr') }
  }

  it('does its task with the secret of the pool, which nobody sees', async () => {
    const report = await perform(promptOf({ say: 'all ' }, { say: `done ${token}` }))
    expect(report).toMatchObject({ outcome: 'succeeded', output: { text: 'all done ***' } })
    expect(report.log).toContain('all done ***')
    expect(report.log).not.toContain(token)
  })

  it('that wants another key says so', async () => {
    const report = await perform(promptOf({ say: 'x' }), { secret: null })
    expect(report).toMatchObject({ outcome: 'failed', error: { code: 'agent-auth', retry: 'never' } })
  })

  it('that is not there, or speaks something else, is told', async () => {
    const nowhere = await perform(promptOf({ say: 'x' }), { url: 'http://127.0.0.1:1/mcp' })
    expect(nowhere).toMatchObject({ outcome: 'failed', error: { code: 'agent-unreachable' } })
    fault = 'page'
    const page = await perform(promptOf({ say: 'x' }))
    fault = 'none'
    expect(page.outcome).toBe('failed')
    expect(page.error!.code).toMatch(/^agent-(protocol|unreachable)$/)
  })

  it('that hangs, dies or floods in the middle of a call is given up', async () => {
    const late = await perform(promptOf({ hang: true }), { callMs: 700 })
    expect(late.error).toMatchObject({ code: 'agent-silent' })
    const dead = await perform(promptOf({ say: 'half' }, { die: 1 }), { callMs: 3_000 })
    expect(dead).toMatchObject({ outcome: 'failed', error: { retry: 'later' } })
    fault = 'flood'
    const before = process.memoryUsage().rss
    const flood = await perform(promptOf({ say: 'x' }))
    fault = 'none'
    expect(flood).toMatchObject({ outcome: 'failed' })
    expect(process.memoryUsage().rss - before).toBeLessThan(800 * 1_048_576)
    expect(await perform(promptOf({ say: 'still here' }))).toMatchObject({ output: { text: 'still here' } })
  })
})
