import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { defaultPermissions } from '../../src/foundation/platform/config/agent-kinds.ts'
import { unconfined } from '../../src/foundation/platform/processes/index.ts'
import { createAcpDriver } from '../../src/orchestration/agents/acp/acp-driver.ts'
import { createSessionMemory } from '../../src/orchestration/agents/acp/acp-resume.ts'
import { createServerSecrets } from '../../src/orchestration/agents/mcp/server-secrets.ts'
import { openToolHub } from '../../src/orchestration/agents/mcp/tool-hub.ts'
import { ScriptedPeople } from '../../src/orchestration/agents/sessions/ask.fixture.ts'
import { createSessionAdapter } from '../../src/orchestration/agents/sessions/session-adapter.ts'
import { MemoryExchange } from '../../src/orchestration/runners/memory-exchange.fixture.ts'
import { agentSpec, RunnerKit, registration } from '../../src/orchestration/runners/runner-kit.fixture.ts'

const agent = fileURLToPath(new URL('idle-acp-agent.mjs', import.meta.url))

export interface IdleMemory {
  /** What this process holds more with the sessions than without, MiB. */
  readonly ours: number
  /** The supervisor of the agents' processes, MiB. */
  readonly supervisor: number
  readonly openSeconds: number
}

/** What sessions cost that are open and silent. The agents themselves are not counted: they are somebody else's programs. */
export async function memoryOfIdleSessions(sessions: number): Promise<IdleMemory> {
  const kit = new RunnerKit()
  try {
    const rules = { permissions: defaultPermissions, askMs: null, silenceMs: null }
    const host = { bubblewrap: null, unshare: null, problem: null }
    const processes = { supervisor: kit.supervisor, host, rules: unconfined }
    const secrets = createServerSecrets({ environmentOf: () => ({}), read: async () => '' })
    const argv = [process.execPath, agent]
    const driver = createAcpDriver({
      settings: { kind: 'acp', argv, mode: null, model: null, auth: null, resume: false, startMs: 120_000 },
      ...{ rules, processes, memory: createSessionMemory(`${kit.folder}/sessions`) },
      tools: openToolHub({ servers: [], rules, processes, secrets, env: {} }),
    })
    const hosted = {
      registration: { ...registration('acp', sessions + 1), kind: 'acp' },
      adapter: createSessionAdapter(driver, {
        artifacts: kit.artifacts,
        ask: new ScriptedPeople(),
        cancelGraceMs: 100,
      }),
      env: { PATH: '/usr/bin:/bin' },
    }
    const port = new MemoryExchange([hosted.registration])
    kit.runner(port, [hosted], { pollMs: 50 })
    const open = async (count: number) => {
      const ids = Array.from({ length: count }, () => port.enqueue(agentSpec('think', { timeoutMs: 600_000 })))
      while (ids.some((id) => !kit.logs.text(id).includes('begun'))) await new Promise((done) => setTimeout(done, 50))
      return ids
    }
    // The first session loads what all of them share.
    const first = await open(1)
    const before = residentBytes('self')
    const from = performance.now()
    const rest = await open(sessions)
    const openSeconds = (performance.now() - from) / 1_000
    const after = residentBytes('self')
    const supervisor = residentBytes(kit.supervisor.pid ?? 0)
    for (const id of [...first, ...rest]) port.cancel(id, 'measured')
    await port.settled(sessions + 1)
    return { ours: (after - before) / 2 ** 20, supervisor: supervisor / 2 ** 20, openSeconds }
  } finally {
    await kit.close()
  }
}

function residentBytes(pid: number | 'self'): number {
  if (pid === 'self') {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    collect()
    collect()
  }
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1_024
}
