import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { dataLayoutOf } from '../app/data-layout.ts'
import type { RunningServer } from '../app/server.ts'
import { type Client, createClient } from '../client/client.ts'
import { AppError, isAppError } from '../foundation/kernel/errors.ts'
import type { ConfigFlags } from '../foundation/platform/config/config.ts'
import { type LoadedConfig, loadConfig } from '../foundation/platform/config/load-config.ts'
import { findHolder, type Holder } from '../foundation/platform/data-folder/folder-lock.ts'
import { readServerInfo, type ServerInfo } from '../foundation/platform/data-folder/server-info.ts'
import { cliErrors } from './cli-errors.ts'
import type { CliContext } from './command.ts'
import { createFileLog } from './file-log.ts'
import { createLineLogger } from './line-logger.ts'
import { remoteServerOf } from './remote-server.ts'

export interface Connection {
  readonly client: Client
  readonly loaded: LoadedConfig
  /** True where this process itself is the platform, so that work ends with it. */
  readonly embedded: boolean
  close(): Promise<void>
}

export interface ConnectOptions {
  readonly flags?: ConfigFlags
  /** False where the call only looks or records: a platform started for it takes no work. Default true. */
  readonly work?: boolean
  /** The tenant to act for. Default: `default`. */
  readonly tenant?: string | undefined
}

/** How long a process that holds the folder may take to begin serving. */
const patienceMs = 20_000

/** Reads the configuration for this call. */
export async function load(context: CliContext, flags: ConfigFlags = {}): Promise<LoadedConfig> {
  const { globals, cwd, env, out } = context
  const loaded = await loadConfig({ cwd, env, configFile: globals.config, flags: { data: globals.data, ...flags } })
  for (const warning of loaded.config.warnings) out.note(`${out.colors.yellow('warning')} ${warning}`)
  return loaded
}

/**
 * A client of the server that the call names by its address; else of the process that serves the data folder, or, where
 * there is none, of a platform started in this process. One code path after that: all speak HTTP.
 */
export async function connect(
  context: CliContext,
  { flags = {}, work = true, tenant }: ConnectOptions = {},
): Promise<Connection> {
  const loaded = await load(context, flags)
  const remote = remoteServerOf(context)
  if (remote !== null) {
    if (flags.agents !== undefined) context.out.note('note: --agents has no effect on a server that already runs')
    const client = createClient({ url: remote.url, token: remote.key, ...asTenant(tenant) })
    return { client, loaded, embedded: false, close: async () => {} }
  }
  const { signal } = context.interrupts
  const folder = loaded.config.dataFolder
  const deadline = performance.now() + patienceMs
  for (;;) {
    signal.throwIfAborted()
    const info = await readServerInfo(folder)
    if (info !== undefined) {
      const client = await clientOf(info, tenant)
      if (client !== null) {
        if (flags.agents !== undefined) context.out.note('note: --agents has no effect on a server that already runs')
        return { client, loaded, embedded: false, close: async () => {} }
      }
    }
    const holder = await findHolder(folder)
    if (holder === undefined) {
      const server = await startHere(context, loaded, work)
      if (server !== null) return embeddedConnection(server, loaded, tenant)
    } else if (performance.now() > deadline) throw silent(folder, holder)
    await delay(50, undefined, { signal }).catch(() => {})
  }
}

/** Whether a server would answer this call that stays when it has ended. */
export async function isServed(context: CliContext): Promise<boolean> {
  if (remoteServerOf(context) !== null) return true
  return (await findServer((await load(context)).config.dataFolder)) !== null
}

/** The serving process of a folder, or null; starts nothing. */
export async function findServer(folder: string): Promise<Client | null> {
  const info = await readServerInfo(folder)
  return info === undefined ? null : clientOf(info)
}

/** A client for a server that answers; null while it does not, or no more. */
async function clientOf(info: ServerInfo, tenant?: string): Promise<Client | null> {
  try {
    const token = (await readFile(info.tokenFile, 'utf8')).trim()
    const answer = await fetch(`${info.url}/livez`, { signal: AbortSignal.timeout(2_000) })
    return answer.ok ? createClient({ url: info.url, token, ...asTenant(tenant) }) : null
  } catch (error) {
    if (error instanceof AppError) throw error
    // It is starting, ending or gone; the caller looks again.
    return null
  }
}

/** Null where another process was faster to take the folder. */
async function startHere(context: CliContext, loaded: LoadedConfig, work: boolean): Promise<RunningServer | null> {
  const { launchServer } = await import('../app/launch-server.ts')
  const { globals, out } = context
  const log = globals.debug ? out.stderr : createFileLog(dataLayoutOf(loaded.config.dataFolder).log)
  const logger = createLineLogger(log, globals.debug ? loaded.config.log.level : 'warn')
  try {
    return await launchServer(loaded, { work, reach: 'local', logger })
  } catch (error) {
    if (isAppError(error, 'data-folder-locked')) return null
    throw error
  }
}

function asTenant(tenant: string | undefined): { readonly tenant?: string } {
  return tenant === undefined ? {} : { tenant }
}

function embeddedConnection(server: RunningServer, loaded: LoadedConfig, tenant?: string): Connection {
  return {
    client: createClient({ url: server.localUrl, token: server.token, ...asTenant(tenant) }),
    loaded,
    embedded: true,
    close: () => server.close({ graceMs: 1_000 }),
  }
}

function silent(folder: string, { pid, host }: Holder): AppError {
  return cliErrors['server-silent'](`${folder} is in use by process ${pid} on ${host}, which does not serve it`, {
    details: { pid, host },
  })
}

/** Runs `use` with a connection and closes it, whatever happens. */
export async function withConnection<T>(
  context: CliContext,
  options: ConnectOptions,
  use: (connection: Connection) => Promise<T>,
): Promise<T> {
  const connection = await connect(context, options)
  try {
    return await use(connection)
  } finally {
    await connection.close()
  }
}
