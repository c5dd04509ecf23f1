import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { asId, type TenantId } from '../foundation/kernel/ids.ts'
import { type Random, systemRandom } from '../foundation/kernel/random.ts'
import { z } from '../foundation/kernel/schema.ts'
import type { LoadedConfig } from '../foundation/platform/config/load-config.ts'
import type { ServerConfig } from '../foundation/platform/config/server-config.ts'
import { folderError } from '../foundation/platform/data-folder/data-folder-errors.ts'
import type { FolderLock } from '../foundation/platform/data-folder/folder-lock.ts'
import { removeServerInfo, writeServerInfo } from '../foundation/platform/data-folder/server-info.ts'
import type { Database } from '../foundation/platform/database/database.ts'
import { bearerTokenOf, createToken, writeTokenFile } from '../foundation/platform/http/bearer-token.ts'
import { httpErrors } from '../foundation/platform/http/http-errors.ts'
import type { HttpLogger } from '../foundation/platform/http/http-logger.ts'
import type { Mount } from '../foundation/platform/http/mount.ts'
import { type Route, route } from '../foundation/platform/http/route.ts'
import { createServer, type HttpServer } from '../foundation/platform/http/server.ts'
import type { Access } from './access.ts'
import { apiRoutes } from './api/routes.ts'
import { packageVersion } from './package-info.ts'
import { lockDataFolder } from './prepare-data-folder.ts'

/** What the server needs of the platform it serves; `context.ts` builds it. */
export interface Platform {
  readonly routes: readonly Route[]
  readonly mounts: readonly Mount[]
  readonly access: Access
  /** Whether work can be done now: the database answers, the loops run. */
  isReady(): Promise<boolean>
  /** Told where calls on this machine reach it, once they do. */
  serving(url: string): void
  /** Ends loops, runner and database, in that order. The caller releases the lock afterwards. */
  close(): Promise<void>
}

export interface PlatformOptions {
  /** A database that is open already, and is left open. Default: that of the configuration. */
  readonly database?: Database
  /** Opens the database of the configuration, which is closed with the platform. Default: done here. */
  readonly openDatabase?: () => Promise<Database>
  /** False for a call that only looks: no runner, no loops, so that it neither takes work nor leaves any behind. */
  readonly work: boolean
  /** Told of errors in the background. Default: a process warning. */
  readonly onError?: (error: unknown) => void
  /** Told of what works, but should be looked at by whoever runs the platform. Default: a process warning. */
  readonly onWarning?: (fields: object, message: string) => void
}

/** Builds the platform on a data folder that this process has locked. */
export type OpenPlatform = (loaded: LoadedConfig, lock: FolderLock, options: PlatformOptions) => Promise<Platform>

export interface ServerSettings {
  readonly openPlatform: OpenPlatform
  /** Default true. */
  readonly work?: boolean
  /** `local`: for this machine alone, whatever the configuration says of the server. Default `configured`. */
  readonly reach?: 'configured' | 'local'
  readonly logger?: HttpLogger
  readonly random?: Random
  /** A database that is open already, and is left open. Default: that of the configuration. */
  readonly database?: Database
  /** The lock of the data folder where the caller has it; it is released with the server. Default: taken here. */
  readonly lock?: FolderLock
  /** Opens the database of the configuration. Default: the platform does. */
  readonly openDatabase?: () => Promise<Database>
}

export interface RunningServer {
  /** Where other machines, or all, reach it. */
  readonly url: string
  /** Where calls on this machine reach it: always loopback, always without TLS. */
  readonly localUrl: string
  readonly healthUrl: string | null
  readonly token: string
  readonly folder: string
  /** Aborts when the data folder was taken over by another host: whoever sees it must close. */
  readonly lost: AbortSignal
  /** The key of the very first start on this database; null at every other. */
  createFirstKey(): Promise<string | null>
  readonly routes: readonly Route[]
  readonly mounts: readonly Mount[]
  /** A request without a socket, for tests. */
  readonly inject: HttpServer['inject']
  /** Requests that came in, and those whose answer left as a whole. */
  figures(): { readonly begun: number; readonly answered: number }
  close(options?: { readonly graceMs?: number; readonly lingerMs?: number }): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * The platform as a process: locks the data folder, opens the platform, listens and says so in server.json. Errors:
 * `data-folder-locked` with the pid of who has it, those of the database, `address-in-use`, `tls-unusable`.
 */
export async function startServer(loaded: LoadedConfig, settings: ServerSettings): Promise<RunningServer> {
  const { config } = loaded
  const { openPlatform, work = true, reach = 'configured', logger, random = systemRandom } = settings
  const folder = config.dataFolder
  let closeOptions: { readonly graceMs?: number; readonly lingerMs?: number } = {}
  // What was opened, in order; it is closed from the end, whatever fails on the way.
  const closers: (() => Promise<void>)[] = []
  try {
    const lock = settings.lock ?? (await lockDataFolder(folder))
    closers.push(() => lock.release())
    const onError = (error: unknown) => logger?.error({ error }, 'failure in the background')
    const onWarning = (fields: object, message: string) => logger?.warn(fields, message)
    const platform = await openPlatform(loaded, lock, {
      work,
      ...(settings.database === undefined ? {} : { database: settings.database }),
      ...(settings.openDatabase === undefined ? {} : { openDatabase: settings.openDatabase }),
      ...(logger === undefined ? {} : { onError, onWarning }),
    })
    closers.push(() => platform.close())

    const token = createToken(random)
    const tokenFile = join(folder, 'token')
    await writeTokenFile(tokenFile, token).catch((error) => Promise.reject(folderError(folder, error)))
    const owner = { id: 'owner', tenant: asId<TenantId>('default'), permissions: ['*', 'platform:*'] }
    const { access } = platform
    const { cors, compression, trustProxy } = config.server
    const routes = apiRoutes(
      platform.routes,
      healthRoutes(platform, () => server.draining),
    )
    const server: HttpServer = createServer({
      routes,
      mounts: platform.mounts,
      authenticate: access.authenticate(bearerTokenOf(token, owner)),
      frontDoor: access.frontDoor,
      idempotency: access.idempotency,
      cors: { origins: cors },
      compression,
      trustProxy,
      ...(logger === undefined ? {} : { logger }),
    })
    closers.push(() => server.close(closeOptions))
    const urls = await listenAsConfigured(server, reach === 'local' ? localOnly(config.server) : config.server)
    closers.push(() => removeServerInfo(folder))
    await writeServerInfo(folder, { pid: process.pid, url: urls.localUrl, tokenFile })
    platform.serving(urls.localUrl)

    let closing: Promise<void> | null = null
    const close: RunningServer['close'] = (options = {}) => {
      if (closing === null) closeOptions = options
      closing ??= closeAll(closers)
      return closing
    }
    return {
      ...urls,
      token,
      folder,
      lost: lock.lost,
      createFirstKey: access.createFirstKey,
      routes,
      mounts: platform.mounts,
      inject: server.inject,
      figures: server.figures,
      close,
      [Symbol.asyncDispose]: () => close(),
    }
  } catch (error) {
    await closeAll(closers)
    throw error
  }
}

/** A call that starts the platform for itself opens no door to others. */
function localOnly(server: ServerConfig): ServerConfig {
  const isLocal = isLoopback(server.host) && server.tls === null
  return { ...server, ...(isLocal ? {} : { host: '127.0.0.1', port: 0, tls: null }), healthPort: null }
}

function isLoopback(host: string): boolean {
  return ['127.0.0.1', '::1', 'localhost'].includes(host)
}

/** Where others reach the server by TLS or from elsewhere, calls on this machine have a port of their own. */
async function listenAsConfigured(server: HttpServer, { host, port, tls, plaintext, healthPort }: ServerConfig) {
  const pem = tls === null ? null : await readPem(tls)
  const main = await server.listen({ host, port, plaintext, ...(pem === null ? {} : { tls: pem }) })
  const isLocal = pem === null && isLoopback(host)
  const local = isLocal ? main : await server.listen()
  const health =
    healthPort === null
      ? null
      : await server.listen({ host, port: healthPort, plaintext: true, paths: ['/livez', '/readyz'] })
  return { url: main.url, localUrl: local.url, healthUrl: health?.url ?? null }
}

async function readPem({ cert, key }: { readonly cert: string; readonly key: string }) {
  try {
    return { cert: await readFile(cert, 'utf8'), key: await readFile(key, 'utf8') }
  } catch (cause) {
    throw httpErrors['tls-unusable'](`cannot read ${cert} or ${key}`, { cause })
  }
}

/** Runs every closer, the last first; the first failure is thrown when all have had their turn. */
async function closeAll(closers: readonly (() => Promise<void>)[]): Promise<void> {
  const failures: unknown[] = []
  for (const close of closers.toReversed()) {
    try {
      await close()
    } catch (error) {
      failures.push(error)
    }
  }
  if (failures.length > 0) throw failures[0]
}

function healthRoutes(platform: Platform, isDraining: () => boolean): readonly Route[] {
  const output = z.object({ status: z.literal('ok'), version: z.string() })
  const ok = { status: 'ok', version: packageVersion() } as const
  return [
    route({
      method: 'GET',
      path: '/livez',
      summary: 'The process runs.',
      permission: 'public',
      output,
      handle: () => ok,
    }),
    route({
      method: 'GET',
      path: '/readyz',
      summary: 'The process can do work.',
      permission: 'public',
      output,
      handle: async () => {
        if (isDraining()) throw httpErrors.draining('shutting down')
        if (!(await platform.isReady())) throw httpErrors['not-ready']('the platform cannot do work')
        return ok
      },
    }),
  ]
}
