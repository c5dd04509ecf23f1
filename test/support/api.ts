import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openPlatform } from '../../src/app/context.ts'
import { type RunningServer, startServer } from '../../src/app/server.ts'
import { AppError, type Client, createClient } from '../../src/client/index.ts'
import { createTenant } from '../../src/contract.ts'
import { systemIds } from '../../src/foundation/kernel/ids.ts'
import { readEnv } from '../../src/foundation/platform/config/env.ts'
import { loadConfig } from '../../src/foundation/platform/config/load-config.ts'
import type { Database } from '../../src/foundation/platform/database/database.ts'
import { scratchFolder } from './run-cli.ts'

export interface TestApi {
  readonly server: RunningServer
  /** The machine's own user, who is above all tenants. */
  readonly owner: Client
  /** What the server has reported as its own failures. */
  readonly errors: unknown[]
  close(): Promise<void>
}

export interface TestApiOptions {
  /** leanvibe.yaml. Default: no rate limits. */
  readonly yaml?: string
  /** Default false: nothing moves by itself. */
  readonly work?: boolean
}

/** The real server with all of its parts, on a database that the test has opened. */
export async function startApi(database: Database, options: TestApiOptions = {}): Promise<TestApi> {
  const scratch = scratchFolder('api')
  const yaml = options.yaml ?? 'rateLimits: { ip: none, failures: none, key: none, tenant: none, route: none }\n'
  await writeFile(join(scratch.path, 'leanvibe.yaml'), yaml)
  const loaded = await loadConfig({ cwd: scratch.path, env: readEnv({ PATH: process.env.PATH }) })
  const errors: unknown[] = []
  const logger = {
    debug: () => {},
    warn: () => {},
    error: (fields: object) => void errors.push((fields as { error?: unknown }).error ?? fields),
  }
  const server = await startServer(loaded, { openPlatform, database, work: options.work ?? false, logger })
  return {
    server,
    owner: createClient({ url: server.localUrl, token: server.token }),
    errors,
    async close() {
      await server.close({ graceMs: 500 })
      await scratch.remove()
    },
  }
}

/** A tenant with the key of its owner; by default one that nobody has. */
export async function makeTenant(
  { owner, server }: TestApi,
  id = systemIds.next<string>('t').replace('_', '-'),
): Promise<{ key: string; client: Client }> {
  const { ownerKey } = await owner.call(createTenant, { body: { id } })
  return { key: ownerKey.key, client: createClient({ url: server.localUrl, token: ownerKey.key }) }
}

/** The code of the error that a call is refused with. */
export function codeOf(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => 'it was allowed',
    (error: unknown) => {
      if (error instanceof AppError) return error.code
      throw error
    },
  )
}
