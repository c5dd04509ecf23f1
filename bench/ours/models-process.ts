import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openPlatform } from '../../src/app/context.ts'
import { type RunningServer, startServer } from '../../src/app/server.ts'
import { createClient } from '../../src/client/index.ts'
import { createModelKey, setBudget } from '../../src/contract.ts'
import { readEnv } from '../../src/foundation/platform/config/env.ts'
import { loadConfig } from '../../src/foundation/platform/config/load-config.ts'
import { serveCalls } from '../harness/worker-process.ts'

export interface Gateway {
  readonly url: string
  readonly key: string
}

let server: RunningServer | null = null
let folder = ''

/** The whole server on PostgreSQL, with rate limits that count and budgets that hold, and a key of its own for the calls. */
async function listen(upstream: string): Promise<Gateway> {
  folder = await mkdtemp(join(tmpdir(), 'bench-models-'))
  const limit = '100000000/1m'
  await writeFile(
    join(folder, 'leanvibe.yaml'),
    `
rateLimits: { ip: ${limit}, key: ${limit}, tenant: ${limit}, route: ${limit} }
models:
  accounts:
    scripted: { provider: compatible, url: '${upstream}', models: [gpt-4o] }
`,
  )
  const env = readEnv({ PATH: process.env.PATH, DATABASE_URL: process.env.BENCH_DATABASE_URL })
  server = await startServer(await loadConfig({ cwd: folder, env }), { openPlatform })
  const { localUrl: url, token } = server
  const client = createClient({ url, token })
  const limits = [
    { scope: 'tenant', unit: 'micro-usd', hardLimit: 1e12 },
    { scope: 'tenant', unit: 'tokens', hardLimit: 1e12 },
    { scope: 'workflow', scopeId: 'bench', unit: 'micro-usd', hardLimit: 1e12 },
    { scope: 'agent', scopeId: 'agent-1', unit: 'micro-usd', hardLimit: 1e12 },
  ] as const
  for (const body of limits) await client.call(setBudget, { body })
  const { key } = await client.call(createModelKey, { body: { name: 'bench', workflow: 'bench', agent: 'agent-1' } })
  return { url, key }
}

serveCalls({
  start: async () => null,
  listen,
  async stop() {
    await server?.close({ graceMs: 500 })
    await rm(folder, { recursive: true, force: true })
  },
})
