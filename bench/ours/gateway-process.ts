import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openPlatform } from '../../src/app/context.ts'
import { type RunningServer, startServer } from '../../src/app/server.ts'
import { createClient } from '../../src/client/index.ts'
import { createGatewayRoute, createKeyEndpoint } from '../../src/contract.ts'
import { readEnv } from '../../src/foundation/platform/config/env.ts'
import { loadConfig } from '../../src/foundation/platform/config/load-config.ts'
import { serveCalls } from '../harness/worker-process.ts'

/** All limits are counted; none is in the way. */
const yaml = `
gateway: { allow: [127.0.0.1] }
rateLimits: { ip: 100000000/1m, failures: 20/1m, key: 100000000/1m, tenant: 100000000/1m, route: 100000000/1m }
`
let server: RunningServer | null = null
let folder = ''

/** The whole product on PostgreSQL, with one managed route that has a rate of its own, and a key that may use it. */
async function listen({ upstream, databaseUrl }: { readonly upstream: string; readonly databaseUrl: string }) {
  folder = await mkdtemp(join(tmpdir(), 'leanvibe-bench-gateway-'))
  await writeFile(join(folder, 'leanvibe.yaml'), yaml)
  const env = readEnv({ PATH: process.env.PATH, DATABASE_URL: databaseUrl })
  const loaded = await loadConfig({ cwd: folder, env })
  const logger = { debug: () => {}, warn: () => {}, error: (fields: object) => console.error('leanvibe:', fields) }
  server = await startServer(loaded, { openPlatform, work: false, logger })
  const client = createClient({ url: server.localUrl, token: server.token })
  await client.call(createGatewayRoute, {
    body: {
      name: 'bench',
      match: { path: '/bench/*' },
      targets: [{ name: 'main', upstreams: [{ name: 'one', url: upstream }] }],
      rate: { requests: 100_000_000, seconds: 60 },
    } as never,
  })
  const { key } = await client.call(createKeyEndpoint, { body: { name: 'bench', role: 'operator' } })
  return {
    port: Number(new URL(server.localUrl).port),
    path: '/gateway/bench/x',
    headers: { authorization: `Bearer ${key}` },
  }
}

serveCalls({
  start: async () => null,
  listen,
  stop: async () => {
    await server?.close({ graceMs: 500 })
    await rm(folder, { recursive: true, force: true })
  },
})
