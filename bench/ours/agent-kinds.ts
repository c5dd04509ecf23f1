import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createRuleLanguage } from '../../src/app/rule-language.ts'
import { shapeA2a } from '../../src/foundation/platform/config/a2a-settings.ts'
import { defaultPermissions } from '../../src/foundation/platform/config/agent-kinds.ts'
import { shapeHttpAgent } from '../../src/foundation/platform/config/http-agent.ts'
import { shapeLlmAgent } from '../../src/foundation/platform/config/llm-agent.ts'
import { openDatabase } from '../../src/foundation/platform/database/open-database.ts'
import { createAddressGuard } from '../../src/foundation/platform/network/address-guard.ts'
import { unconfined } from '../../src/foundation/platform/processes/index.ts'
import { createA2aDriver } from '../../src/orchestration/agents/a2a/a2a-driver.ts'
import { a2aErrors } from '../../src/orchestration/agents/a2a/a2a-errors.ts'
import { startA2aPeer } from '../../src/orchestration/agents/a2a/a2a-peer.fixture.ts'
import { createSessionMemory } from '../../src/orchestration/agents/acp/acp-resume.ts'
import { createCommandAdapter } from '../../src/orchestration/agents/command-adapter.ts'
import { placesFor, testContainers } from '../../src/orchestration/agents/container/containers.fixture.ts'
import { createFunctionDriver } from '../../src/orchestration/agents/function/function-driver.ts'
import { createHttpDriver } from '../../src/orchestration/agents/http/http-driver.ts'
import { httpAgentErrors } from '../../src/orchestration/agents/http/http-errors.ts'
import { ServiceCalls } from '../../src/orchestration/agents/http/service-calls.ts'
import { ServicePeer, sendJson } from '../../src/orchestration/agents/http/service-peer.fixture.ts'
import { PodmanCluster } from '../../src/orchestration/agents/kubernetes/podman-cluster.fixture.ts'
import { createLlmDriver } from '../../src/orchestration/agents/llm/llm-driver.ts'
import { startScriptedModel } from '../../src/orchestration/agents/llm/scripted-model.fixture.ts'
import { createMcpDriver } from '../../src/orchestration/agents/mcp/mcp-driver.ts'
import { createServerSecrets } from '../../src/orchestration/agents/mcp/server-secrets.ts'
import { acpInside } from '../../src/orchestration/agents/places/acp-inside.fixture.ts'
import { createPlacedAdapter } from '../../src/orchestration/agents/places/placed-adapter.ts'
import type { AgentDriver } from '../../src/orchestration/agents/sessions/agent-session.ts'
import { createSessionAdapter } from '../../src/orchestration/agents/sessions/session-adapter.ts'
import { createGrowthMeter } from '../../src/orchestration/context-growth/growth-meter.ts'
import { type RunnerKit, registration } from '../../src/orchestration/runners/runner-kit.fixture.ts'
import type { KindToMeasure } from './agent-bench-kit.ts'

const file = (path: string) => fileURLToPath(new URL(`../../src/orchestration/agents/${path}`, import.meta.url))
const rules = { permissions: defaultPermissions, askMs: 1_500, silenceMs: null }
const host = { bubblewrap: null, unshare: null, problem: null }
const secrets = createServerSecrets({ environmentOf: () => ({}), read: async () => '' })
const env = { PATH: '/usr/local/bin:/usr/bin:/bin' }
const processesOf = (kit: RunnerKit) => ({ supervisor: kit.supervisor, host, rules: unconfined })
const named = (kind: string) => ({ ...registration(kind, 1), kind })

/** The kinds that run here, each with the peer of its tests: a small program, a thread, or a server on this machine. */
export function kindsToMeasure(): { readonly kinds: readonly KindToMeasure[]; readonly left: readonly string[] } {
  const containers = testContainers()
  const kinds: KindToMeasure[] = [
    {
      kind: 'command',
      make: async (kit) => {
        const agent = { argv: ['echo', '{prompt}'], prompt: 'argument', timeoutMs: null } as const
        const adapter = createCommandAdapter({ supervisor: kit.supervisor, artifacts: kit.artifacts, agent })
        return { hosted: { registration: named('command'), adapter, env } }
      },
    },
    talking('function', async () => {
      const module = file('function/function-peer.fixture.ts')
      return createFunctionDriver({ settings: { kind: 'function', module, memoryBytes: 2 ** 26 }, rules, module })
    }),
    {
      kind: 'acp',
      make: async (kit, people) => {
        const place = { start: kit.supervisor.start.bind(kit.supervisor), close: async () => 0 }
        return { hosted: { registration: named('acp'), adapter: acpInside({ kit, people }, place), env } }
      },
    },
    talking('mcp', async (kit) => {
      const argv = [process.execPath, '--no-warnings', file('mcp/mcp-peer.fixture.ts')]
      const server = {
        ...{ name: 'peer', argv, url: null, headers: {}, secret: null, env: [] },
        ...{ usual: 'allow' as const, tools: {}, callMs: 40_000, startMs: 30_000 },
      }
      const settings = { kind: 'mcp' as const, server, tool: 'perform', argument: null }
      return createMcpDriver({ settings, rules, processes: processesOf(kit), secrets })
    }),
    {
      kind: 'a2a',
      make: async (kit, people) => {
        const peer = await startA2aPeer({ streaming: true })
        const errors = { url: a2aErrors['a2a-url-refused'], address: a2aErrors['a2a-address-refused'] }
        const driver = createA2aDriver({
          ...{ settings: shapeA2a({ card: peer.url }), rules, push: null, readSecret: async () => '' },
          guard: createAddressGuard(['127.0.0.1/32'], errors),
          memory: createSessionMemory(`${kit.folder}/sessions`),
        })
        const adapter = createSessionAdapter(driver, { artifacts: kit.artifacts, ask: people })
        return { hosted: { registration: named('a2a'), adapter, env: {} }, close: () => peer.close() }
      },
    },
    {
      kind: 'llm',
      make: async (kit, people) => {
        const model = await startScriptedModel()
        const driver = createLlmDriver({
          ...{ settings: shapeLlmAgent({ model: 'm' }), rules, processes: processesOf(kit), costOf: () => null },
          meter: () => createGrowthMeter({ onState: () => {}, onClose: async () => {} }),
        })
        const adapter = createSessionAdapter(driver, { artifacts: kit.artifacts, ask: people })
        const variables = { ...env, OPENAI_BASE_URL: `${model.url}/v1`, OPENAI_API_KEY: 'key' }
        const hosted = { registration: named('llm'), adapter, env: variables }
        return { hosted, close: async () => model[Symbol.asyncDispose]() }
      },
    },
    {
      kind: 'http',
      make: async (kit, people) => {
        const peer = await ServicePeer.start((_, response) => sendJson(response, 200, { text: 'hello' }))
        const folder = await mkdtemp(join(tmpdir(), 'bench-http-'))
        const database = await openDatabase({ kind: 'pglite', folder })
        const leaseOf = async () => ({ live: true, fence: Number.MAX_SAFE_INTEGER, pool: 'http', ended: false })
        const calls = new ServiceCalls({ database, leaseOf })
        const driver = createHttpDriver({
          ...{ pool: 'http', rules, calls, readSecret: async () => '', serverUrl: async () => null },
          settings: shapeHttpAgent({ url: peer.url, allow: ['127.0.0.1/32'], output: '/text' }),
          language: createRuleLanguage((source, why) => httpAgentErrors['agent-expression'](`${source}: ${why}`)),
        })
        const adapter = createSessionAdapter(driver, { artifacts: kit.artifacts, ask: people })
        const close = async () => {
          calls[Symbol.dispose]()
          await database.close()
          await peer[Symbol.asyncDispose]()
          await rm(folder, { recursive: true })
        }
        return { hosted: { registration: named('http'), adapter, env: {} }, close }
      },
    },
  ]
  if ('reason' in containers)
    return { kinds, left: [`container (${containers.reason})`, `kubernetes (${containers.reason})`] }
  kinds.push({
    kind: 'container (command)',
    make: async (kit) => {
      const agent = { argv: ['echo', '{prompt}'], prompt: 'argument', timeoutMs: null } as const
      const adapter = createPlacedAdapter({
        kind: 'container',
        open: placesFor(containers, kit),
        inner: (place) => createCommandAdapter({ supervisor: place, artifacts: kit.artifacts, agent }),
      })
      return { hosted: { registration: named('container'), adapter, env } }
    },
  })
  kinds.push({
    kind: 'container (acp)',
    make: async (kit, people) => {
      const mounts = containers.node.map(({ from }) => ({ from }))
      const adapter = createPlacedAdapter({
        kind: 'container',
        open: placesFor(containers, kit, { mounts }),
        inner: (place) => acpInside({ kit, people }, place),
      })
      return { hosted: { registration: named('container'), adapter, env } }
    },
  })
  // No cluster: an API server of our own, whose pods are containers of this machine.
  for (const mode of ['job', 'pod'] as const)
    kinds.push({
      kind: `kubernetes (${mode}, no real cluster)`,
      make: async (kit, people) => {
        const cluster = await PodmanCluster.start(containers)
        const adapter = createPlacedAdapter({
          kind: 'kubernetes',
          open: cluster.placesFor(kit, { mode }),
          inner: (place) => acpInside({ kit, people }, place),
        })
        const close = async () => {
          await cluster.close()
          // The last that needs them.
          if (mode === 'pod') containers.remove()
        }
        return { hosted: { registration: named('kubernetes'), adapter, env }, close }
      },
    })
  return { kinds, left: [] }
}

function talking(kind: string, driverFor: (kit: RunnerKit) => Promise<AgentDriver>): KindToMeasure {
  return {
    kind,
    make: async (kit, people) => {
      const adapter = createSessionAdapter(await driverFor(kit), { artifacts: kit.artifacts, ask: people })
      return { hosted: { registration: named(kind), adapter, env } }
    },
  }
}
