import { type KnownAgent, RegistryService, registryErrors, registryRoutes } from '../external-api/registry/index.ts'
import type { JsonObject } from '../foundation/kernel/json.ts'
import type { LoadedConfig } from '../foundation/platform/config/load-config.ts'
import type { Database } from '../foundation/platform/database/database.ts'
import type { Route } from '../foundation/platform/http/route.ts'
import { createLoop, type Loop } from '../foundation/runtime/loop.ts'
import { parseWorkflow } from '../orchestration/workflows/index.ts'
import type { DefinitionFiles } from './built-ins.ts'
import { lookUpAgent, reachAddress } from './remote-agents.ts'

export interface OpenRegistryOptions {
  readonly loaded: LoadedConfig
  readonly database: Database
  readonly files: DefinitionFiles
  readonly onCommit: () => void
  readonly onError: (error: unknown) => void
}

export interface OpenRegistry {
  readonly routes: readonly Route[]
  /** Starts looking at those who asked for it; the caller stops it. */
  start(): Loop
}

/** As often as any agent may ask for. */
const roundMs = 30_000

/** The registry of agents, tied to what tells of them. */
export function openRegistry({ loaded, database, files, onCommit, onError }: OpenRegistryOptions): OpenRegistry {
  const registry = new RegistryService({
    database,
    onCommit,
    lookUp: (kind, target, signal) => {
      if (kind === 'a2a') return ofCard(loaded, target, signal)
      if (kind === 'pool') return ofPool(loaded, target)
      return kind === 'workflow' ? ofWorkflow(files, target) : ofAddress(loaded, target, signal)
    },
  })
  return {
    routes: registryRoutes(database, registry),
    start: () => createLoop({ pollMs: roundMs, onError, step: (signal) => registry.checkDue(signal) }),
  }
}

async function ofCard(loaded: LoadedConfig, target: string, signal: AbortSignal): Promise<KnownAgent> {
  const url = URL.canParse(target) ? target : null
  if (url === null)
    throw registryErrors['registry-target-unknown'](
      `${target} is no URL of a card; a pool is published with --kind pool, a workflow with --kind workflow`,
    )
  const { card, capabilities, raw } = await lookUpAgent(loaded, { url, signal })
  return {
    ...{ title: card.name.slice(0, 200), description: card.description.slice(0, 4_000) },
    ...{ version: card.version.slice(0, 100), capabilities, card: raw as JsonObject },
  }
}

async function ofPool({ config }: LoadedConfig, target: string): Promise<KnownAgent> {
  const pool = config.pools.find(({ name }) => name === target)
  if (pool === undefined) throw registryErrors['registry-target-unknown'](`there is no pool ${target}`)
  const capabilities = pool.capabilities.map((word) => word.replace(/:\d+$/, ''))
  return { title: target, description: `${pool.kind} agents`, version: '', capabilities, card: null }
}

async function ofWorkflow(files: DefinitionFiles, target: string): Promise<KnownAgent> {
  const file = await files.find(target)
  if (file === null) throw registryErrors['registry-target-unknown'](`there is no workflow file ${target}`)
  const { definition } = parseWorkflow(file.text, file.file)
  const description = definition.description ?? ''
  return { title: target, description, version: '', capabilities: [], card: null }
}

/** Any answer will do: it is there. */
async function ofAddress(loaded: LoadedConfig, target: string, signal: AbortSignal): Promise<KnownAgent> {
  if (!URL.canParse(target)) throw registryErrors['registry-target-unknown'](`${target} is no URL`)
  await reachAddress(loaded, target, signal)
  return { title: new URL(target).host, description: '', version: '', capabilities: [], card: null }
}
