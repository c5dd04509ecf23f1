import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { messageOf } from '../foundation/kernel/errors.ts'
import { placeConfinement } from '../foundation/platform/config/agent-kinds.ts'
import type { LoadedConfig } from '../foundation/platform/config/load-config.ts'
import type { PoolConfig } from '../foundation/platform/config/pools.ts'
import { ruleOfTool, type ToolServerSettings } from '../foundation/platform/config/tool-settings.ts'
import { detectConfinement, hostEnvironment, Supervisor } from '../foundation/platform/processes/index.ts'
import { SecretMasker } from '../foundation/platform/secrets/index.ts'
import type { AskPort } from '../orchestration/agents/ask-contract.ts'
import { createServerSecrets } from '../orchestration/agents/mcp/server-secrets.ts'
import { ToolServer } from '../orchestration/agents/mcp/tool-server.ts'
import { createSessionContext } from '../orchestration/agents/sessions/session-context.ts'
import { StdoutCapture } from '../orchestration/agents/stdout-capture.ts'
import type { Assignment } from '../orchestration/runners/exchange-contract.ts'
import { packageFolder } from './package-info.ts'

/** What MCP servers are given, as it is when they are started. */
export function serverSecretsOf({ secrets }: LoadedConfig) {
  return createServerSecrets({
    environmentOf: (names) =>
      Object.fromEntries(Object.entries(secrets.environmentOf(names)).map(([name, secret]) => [name, secret.reveal()])),
    read: async (name, signal) => (await secrets.read(name, signal)).reveal(),
  })
}

/** The MCP servers of a pool: those it grants its agents, or the one that its agents are. */
export function toolServersOf({ driver, tools }: PoolConfig): readonly ToolServerSettings[] {
  return driver?.kind === 'mcp' ? [driver.server] : tools
}

export interface ToolListing {
  readonly server: string
  readonly tools: readonly { readonly name: string; readonly rule: 'allow' | 'ask' | 'off'; readonly about: string }[]
  /** Why there are none; null: it was reached. */
  readonly problem: string | null
}

/** Starts the servers of a pool as its agents would, in an empty folder, and asks for their tools. */
export async function listPoolTools(
  pool: PoolConfig,
  loaded: LoadedConfig,
  signal: AbortSignal,
): Promise<readonly ToolListing[]> {
  const { config, env } = loaded
  const folder = await mkdtemp(join(tmpdir(), 'leanvibe-tools-'))
  const supervisor = new Supervisor({ folder: join(folder, 'processes') })
  const bounds = placeConfinement(pool.confine, (path) => resolve(config.project.root, path), env.homeFolder)
  const rules = { ...bounds, read: [...bounds.read, packageFolder, dirname(process.execPath)] }
  const processes = {
    supervisor,
    host: await detectConfinement(env.path, undefined, [env.settings.home ?? config.dataFolder]),
    rules,
  }
  const { assignment, context } = trial(
    folder,
    { ...hostEnvironment(config.env, (name) => env.variable(name)) },
    signal,
  )
  const shared = { processes, secrets: serverSecretsOf(loaded), assignment, context, askMs: 0, onSign: () => {} }
  try {
    return await Promise.all(
      toolServersOf(pool).map(async (settings): Promise<ToolListing> => {
        const server = new ToolServer({ ...shared, settings })
        try {
          const { tools } = await server.hold()
          const told = tools.map(({ name, description = '' }) => {
            return { name, rule: ruleOfTool(settings, name).rule, about: description }
          })
          return { server: settings.name, tools: told, problem: null }
        } catch (error) {
          signal.throwIfAborted()
          return { server: settings.name, tools: [], problem: messageOf(error) }
        } finally {
          await server.close()
        }
      }),
    )
  } finally {
    await supervisor.close()
    await rm(folder, { recursive: true, force: true })
  }
}

/** Nobody is there to be asked. */
const nobody: AskPort = {
  ask: async ({ defaultChoice }) => ({ choice: defaultChoice, text: null, by: 'policy', expired: true }),
}

/** A session that belongs to no task. */
function trial(folder: string, env: Readonly<Record<string, string>>, signal: AbortSignal) {
  const assignment = { taskId: `trial-${randomUUID()}`, fence: 1, spec: {} } as unknown as Assignment
  const attempt = {
    ...{ signal, workdir: folder, outdir: folder, tempdir: folder, tree: null, env, config: {} },
    ...{ masker: new SecretMasker([]), progress: () => {}, log: () => {} },
  }
  const { context } = createSessionContext(assignment, attempt, nobody, new StdoutCapture(join(folder, 'out'), 1, 1))
  return { assignment, context }
}
