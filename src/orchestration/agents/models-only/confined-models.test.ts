import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  type Confinement,
  detectConfinement,
  type HostConfinement,
} from '../../../foundation/platform/processes/index.ts'
import type { HostedAgent } from '../../runners/hosted-agent.ts'
import { MemoryExchange } from '../../runners/memory-exchange.fixture.ts'
import { commandSpec, RunnerKit, registration } from '../../runners/runner-kit.fixture.ts'
import { createCommandAdapter } from '../command-adapter.ts'
import { openConfinedModels } from './confined-models.ts'

const rules: Confinement = { mode: 'required', network: 'models', read: [], write: [] }

describe('work that reaches the model gateway and nothing else', () => {
  let kit: RunnerKit
  let host: HostConfinement
  const asked: IncomingMessage[] = []
  const gateway = createServer((request, response) => {
    asked.push(request)
    request.resume().once('end', () => response.end(`answered ${request.url}`))
  })
  let origin = ''

  beforeAll(async () => {
    kit = new RunnerKit()
    host = await detectConfinement(process.env.PATH ?? '')
    await new Promise<void>((resolve) => gateway.listen(0, '127.0.0.1', resolve))
    origin = `http://127.0.0.1:${(gateway.address() as AddressInfo).port}`
  })
  afterAll(async () => {
    gateway.close()
    await kit.close()
    expect(kit.errors).toEqual([])
  })

  async function perform(script: string) {
    const adapter = createCommandAdapter({
      supervisor: kit.supervisor,
      artifacts: kit.artifacts,
      confine: { host, rules },
      graceMs: 300,
    })
    const env = { PATH: '/usr/bin:/bin', OPENAI_BASE_URL: `${origin}/v1`, ANTHROPIC_BASE_URL: origin }
    const hosted: HostedAgent = { registration: registration('confined', 1), adapter, env }
    const port = new MemoryExchange([hosted.registration])
    kit.runner(port, [hosted], { pollMs: 20 })
    port.enqueue(commandSpec(['bash', '-c', script], { outputs: { text: { from: 'stdout' } } }))
    await port.settled(1)
    return port.accepted[0]!
  }

  /** Asks for a path of `$OPENAI_BASE_URL` by hand: what a system has for that differs. */
  const ask = (path: string) =>
    `
    url=\${OPENAI_BASE_URL%/v1}; host=\${url#http://}
    exec 3<>/dev/tcp/\${host%:*}/\${host#*:}
    printf 'GET ${path} HTTP/1.1\\r\\nhost: x\\r\\nconnection: close\\r\\n\\r\\n' >&3
    cat <&3`.replaceAll('\\$', '$')

  it('asks the gateway under its own address, and gets no further than that', async ({ skip }) => {
    if (host.bubblewrap === null) return skip(`no bubblewrap here: ${host.problem}`)
    const port = new URL(origin).port
    const report = await perform(`
      echo "$OPENAI_BASE_URL $ANTHROPIC_BASE_URL"
      (${ask('/v1/models')}) | tail -1; echo
      (${ask('/api/v1/runs')}) | head -1
      (exec 3<>/dev/tcp/127.0.0.1/${port}) 2>/dev/null && echo reached || echo nowhere
      exit 7`)
    expect(report.error).toMatchObject({ code: 'exit-code' })
    expect(asked.map((request) => request.url)).toEqual(['/v1/models'])
    const done = await perform(`echo "$OPENAI_BASE_URL"; (${ask('/v1/models')}) | tail -1`)
    expect((done.output as { text: string }).text.split('\n')).toEqual([
      'http://127.0.0.1:7420/v1',
      'answered /v1/models',
    ])
    const refused = await perform(
      `(${ask('/api/v1/runs')}) | head -1; (exec 3<>/dev/tcp/127.0.0.1/${port}) 2>/dev/null || echo nowhere`,
    )
    expect((refused.output as { text: string }).text).toMatch(/^HTTP\/1.1 403 .*\r?\nnowhere/)
  })

  it('is told that there is nothing to reach where its pool has no models', async ({ skip }) => {
    if (host.bubblewrap === null) return skip(`no bubblewrap here: ${host.problem}`)
    await expect(openConfinedModels(host, rules, {})).rejects.toMatchObject({ code: 'network-unreachable' })
    expect(await openConfinedModels(host, { ...rules, network: 'off' }, {})).toBe(null)
    expect(await openConfinedModels({ ...host, bubblewrap: null }, rules, {})).toBe(null)
  })
})
