import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { AgentId, RunnerId, TenantId } from '../../foundation/kernel/ids.ts'
import type { CommandAgent } from '../../foundation/platform/config/pools.ts'
import { createGit } from '../../foundation/platform/git/index.ts'
import { Supervisor } from '../../foundation/platform/processes/index.ts'
import type { SecretSource } from '../../foundation/platform/secrets/index.ts'
import { createCommandAdapter } from '../agents/command-adapter.ts'
import { createInlineAdapter, type InlineFunction } from '../agents/inline-adapter.ts'
import { createGateWorker } from '../gates/gate-worker.ts'
import type { ResolvedAgent, ResolvedCommand, ResolvedGate, ResolvedScript } from '../workflows/task-contract.ts'
import { Workspaces } from '../workspaces/index.ts'
import type { ArtifactSink } from './artifact-sink.ts'
import type { AgentRegistration, ExchangePort } from './exchange-contract.ts'
import type { HostedAgent } from './hosted-agent.ts'
import type { LogChunk, LogSink } from './log-sink.ts'
import { Runner, type RunnerOptions } from './runner.ts'

const work = {
  stepId: 'step',
  timeoutMs: 60_000,
  priority: 5,
  labels: {},
  risky: false,
  allowFailure: false,
  retry: { attempts: 1, backoff: { initialMs: 1_000, factor: 2, maxMs: 10_000, jitter: 0 } },
  resources: { cpuCores: 1, memoryBytes: 1, diskBytes: 1, networkMbps: 1 },
  budget: {},
  concurrency: null,
  pool: null,
  capabilities: [],
  workspace: 'none',
  env: {},
  secretEnv: {},
  outputs: {},
} as const

export function commandSpec(argv: readonly string[], more: Partial<ResolvedCommand> = {}): ResolvedCommand {
  return { ...work, kind: 'command', argv, stdin: null, ...more }
}

export function scriptSpec(script: string, more: Partial<ResolvedScript> = {}): ResolvedScript {
  return { ...work, kind: 'script', script, interpreter: ['bash', '-eu'], ...more }
}

export function agentSpec(prompt: string, more: Partial<ResolvedAgent> = {}): ResolvedAgent {
  return { ...work, kind: 'agent', prompt, depth: 'deep', tier: 'strong', config: {}, secretConfig: {}, ...more }
}

export function gateSpec(checks: ResolvedGate['checks'], more: Partial<ResolvedGate> = {}): ResolvedGate {
  return { ...work, kind: 'gate', checks, who: [], deadlineMs: null, ...more }
}

export function registration(name: string, slots: number): AgentRegistration {
  return {
    tenant: 'default' as TenantId,
    agentId: name as AgentId,
    pool: 'local',
    kind: 'command',
    capabilities: [],
    labels: {},
    slots,
    weight: 1,
  }
}

/** Logs in memory. */
export class MemoryLogs implements LogSink {
  readonly chunks: LogChunk[] = []
  batches = 0
  failures = 0

  async append(chunks: readonly LogChunk[]): Promise<void> {
    if (this.failures > 0) {
      this.failures -= 1
      throw new Error('the log store is away')
    }
    this.batches += 1
    this.chunks.push(...chunks)
  }

  text(taskId: string, stream: 'stdout' | 'stderr' = 'stdout'): string {
    const mine = this.chunks.filter((chunk) => chunk.taskId === taskId && chunk.stream === stream)
    return Buffer.concat(mine.sort((a, b) => a.seq - b.seq).map((chunk) => chunk.bytes)).toString()
  }
}

/** Artifacts in memory. */
export class MemoryArtifacts implements ArtifactSink {
  readonly blobs = new Map<string, Buffer>()

  async store(_owner: unknown, content: { readonly path: string } | { readonly data: Uint8Array }) {
    const data = 'path' in content ? readFileSync(content.path) : Buffer.from(content.data)
    const sha256 = createHash('sha256').update(data).digest('hex')
    this.blobs.set(sha256, data)
    return { bytes: data.length, sha256, blob: sha256 }
  }
}

/** Everything a runner needs, on real processes and a folder of its own. */
export class RunnerKit {
  readonly folder = realpathSync(mkdtempSync(join(tmpdir(), 'leanvibe-runner-')))
  readonly supervisor = new Supervisor({ folder: join(this.folder, 'processes') })
  readonly workspaces = new Workspaces({ folder: join(this.folder, 'workspaces'), git: createGit() })
  readonly logs = new MemoryLogs()
  readonly artifacts = new MemoryArtifacts()
  readonly errors: unknown[] = []
  readonly secrets: SecretSource
  readonly #runners: Runner[] = []

  constructor(secrets: Readonly<Record<string, string>> = {}) {
    this.secrets = {
      async read(name) {
        const value = secrets[name]
        if (value === undefined) throw new Error(`no secret ${name}`)
        return value
      },
    }
  }

  commandAgent(slots = 4, agent: CommandAgent | null = null, name = 'commands'): HostedAgent {
    const adapter = createCommandAdapter({
      supervisor: this.supervisor,
      artifacts: this.artifacts,
      agent,
      graceMs: 300,
      workers: { gate: createGateWorker({ git: createGit(), artifacts: this.artifacts }) },
    })
    const env = { PATH: '/usr/local/bin:/usr/bin:/bin', POOL_TOKEN: 'pool-token-value' }
    return { registration: registration(name, slots), adapter, env, masked: ['pool-token-value'] }
  }

  functionAgent(functions: Readonly<Record<string, InlineFunction>>, slots = 4, name = 'functions'): HostedAgent {
    return {
      registration: registration(name, slots),
      adapter: createInlineAdapter(functions),
      env: {},
      folders: false,
    }
  }

  runner(port: ExchangePort, agents: readonly HostedAgent[], more: Partial<RunnerOptions> = {}): Runner {
    const runner = new Runner({
      id: 'rnr_1' as RunnerId,
      port,
      agents,
      workspaces: this.workspaces,
      secrets: this.secrets,
      logs: this.logs,
      outbox: join(this.folder, 'outbox.ndjson'),
      onError: (error) => this.errors.push(error),
      ...more,
    })
    this.#runners.push(runner)
    runner.start()
    return runner
  }

  async close(): Promise<void> {
    await Promise.all(this.#runners.map((runner) => runner.close()))
    await this.supervisor.close()
    rmSync(this.folder, { recursive: true, force: true })
  }
}
