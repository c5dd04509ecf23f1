import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { asId, type TenantId } from '../foundation/kernel/ids.ts'
import { type Random, systemRandom } from '../foundation/kernel/random.ts'
import { z } from '../foundation/kernel/schema.ts'
import type { LoadedConfig } from '../foundation/platform/config/load-config.ts'
import { folderError } from '../foundation/platform/data-folder/data-folder-errors.ts'
import { type FolderLock, lockFolder } from '../foundation/platform/data-folder/folder-lock.ts'
import { makeFolder } from '../foundation/platform/data-folder/make-folder.ts'
import { removeServerInfo, writeServerInfo } from '../foundation/platform/data-folder/server-info.ts'
import { bearerTokenOf, createToken, writeTokenFile } from '../foundation/platform/http/bearer-token.ts'
import { httpErrors } from '../foundation/platform/http/http-errors.ts'
import type { HttpLogger } from '../foundation/platform/http/http-logger.ts'
import { type Route, route } from '../foundation/platform/http/route.ts'
import { createServer } from '../foundation/platform/http/server.ts'
import { packageVersion } from './package-info.ts'

/** What the server needs of the platform it serves; `context.ts` builds it. */
export interface Platform {
  readonly routes: readonly Route[]
  /** Whether work can be done now: the database answers, the loops run. */
  isReady(): Promise<boolean>
  /** Ends loops, runner and database, in that order. The caller releases the lock afterwards. */
  close(): Promise<void>
}

export interface PlatformOptions {
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
  readonly logger?: HttpLogger
  readonly random?: Random
}

export interface RunningServer {
  readonly url: string
  readonly token: string
  readonly folder: string
  /** Aborts when the data folder was taken over by another host: whoever sees it must close. */
  readonly lost: AbortSignal
  close(options?: { readonly graceMs?: number }): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * The platform as a process: locks the data folder, opens the platform, listens on loopback and says so in server.json.
 * Errors: `data-folder-locked` with the pid of who has it, those of the database, `address-in-use`.
 */
export async function startServer(loaded: LoadedConfig, settings: ServerSettings): Promise<RunningServer> {
  const { config } = loaded
  const { openPlatform, work = true, logger, random = systemRandom } = settings
  const folder = config.dataFolder
  let graceMs = 5_000
  // What was opened, in order; it is closed from the end, whatever fails on the way.
  const closers: (() => Promise<void>)[] = []
  try {
    await prepareDataFolder(folder)
    const lock = await lockFolder(folder)
    closers.push(() => lock.release())
    const onError = (error: unknown) => logger?.error({ error }, 'failure in the background')
    const onWarning = (fields: object, message: string) => logger?.warn(fields, message)
    const platform = await openPlatform(loaded, lock, { work, ...(logger === undefined ? {} : { onError, onWarning }) })
    closers.push(() => platform.close())

    const token = createToken(random)
    const tokenFile = join(folder, 'token')
    await writeTokenFile(tokenFile, token).catch((error) => Promise.reject(folderError(folder, error)))
    const owner = { id: 'owner', tenant: asId<TenantId>('default'), permissions: ['*'] }
    const server = createServer({
      routes: [...healthRoutes(platform, () => server.draining), ...platform.routes],
      authenticate: bearerTokenOf(token, owner),
      ...(logger === undefined ? {} : { logger }),
    })
    closers.push(() => server.close({ graceMs }))
    const { url } = await server.listen(config.server)
    closers.push(() => removeServerInfo(folder))
    await writeServerInfo(folder, { pid: process.pid, url, tokenFile })

    let closing: Promise<void> | null = null
    const close = (options: { readonly graceMs?: number } = {}): Promise<void> => {
      graceMs = options.graceMs ?? graceMs
      closing ??= closeAll(closers)
      return closing
    }
    return { url, token, folder, lost: lock.lost, close, [Symbol.asyncDispose]: () => close() }
  } catch (error) {
    await closeAll(closers)
    throw error
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

/** Makes the data folder, readable by its owner alone, and hides it from the repository it may lie in. */
export async function prepareDataFolder(folder: string): Promise<void> {
  try {
    await makeFolder(folder)
    await writeFile(join(folder, '.gitignore'), '*\n', { flag: 'wx' }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
  } catch (error) {
    throw folderError(folder, error)
  }
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
