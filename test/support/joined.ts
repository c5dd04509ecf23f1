import { mkdirSync, writeFileSync } from 'node:fs'
import { startJoinedWorker } from '../../src/app/join/joined-worker.ts'
import type { Worker } from '../../src/app/work.ts'
import { createJoinedServers, type JoinedServers } from '../../src/cli/join/joined-servers.ts'
import { createKeyEndpoint } from '../../src/contract.ts'
import { readEnv } from '../../src/foundation/platform/config/env.ts'
import { loadConfig } from '../../src/foundation/platform/config/load-config.ts'
import type { TestApi } from './api.ts'

export interface JoinedRunner extends AsyncDisposable {
  readonly worker: Worker
  readonly server: JoinedServers
  /** What it reported as its own failures. */
  readonly errors: unknown[]
}

export interface JoinOptions {
  readonly slots?: number
  readonly env?: Readonly<Record<string, string>>
  /** What carries its calls. */
  readonly fetch?: (input: string, init: RequestInit) => Promise<Response>
}

/** A key that may do what runners do, and nothing else. */
export async function runnerKey({ owner }: TestApi): Promise<string> {
  const scopes = ['runners:write', 'artifacts:write']
  return (await owner.call(createKeyEndpoint, { body: { name: 'runner', role: 'admin', scopes } })).key
}

/** A runner in this process that knows the server by its address and a key alone. `config`: its leanvibe.yaml. */
export async function joinRunner(
  api: TestApi,
  folder: string,
  config: object,
  options: JoinOptions = {},
): Promise<JoinedRunner> {
  const errors: unknown[] = []
  const onError = (error: unknown) => void errors.push(error)
  mkdirSync(folder, { recursive: true })
  writeFileSync(`${folder}/leanvibe.yaml`, JSON.stringify(config))
  const loaded = await loadConfig({ cwd: folder, env: readEnv({ PATH: process.env.PATH, ...options.env }) })
  const { fetch } = options
  const server = createJoinedServers({
    ...{ urls: [api.server.localUrl], key: await runnerKey(api), onError },
    ...(fetch === undefined ? {} : { fetch }),
  })
  await server.start('there')
  const worker = await startJoinedWorker(loaded, { server, slots: options.slots ?? null, onError })
  return {
    ...{ worker, server, errors },
    async [Symbol.asyncDispose]() {
      await worker.close()
      await server[Symbol.asyncDispose]()
    },
  }
}
