import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import pg from 'pg'
import type { TestProject } from 'vitest/node'
import { migrationsHash, readMigrations } from '../../src/foundation/platform/database/migration-files.ts'
import { migrate } from '../../src/foundation/platform/database/migrator.ts'
import { prepareImage } from '../../src/foundation/platform/database/pglite/image.ts'
import { installPeers } from '../peers/install-peers.ts'
import { type PostgresServer, removeStaleServers, startPostgresServer } from './postgres-server.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** Where the test files ask for databases. */
    readonly testDatabases: string
  }
}

/**
 * Serves databases to the test files, each made when the first one asks: `/pglite` answers with the path of a migrated
 * image, `/postgres` with the URL of the one server of this run and the name of a migrated template database. `/peers`
 * answers when the programs of test/peers are installed.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  await removeStaleServers()
  const once_ = memoize()
  let server: Promise<PostgresServer> | undefined

  async function serve(url: URL): Promise<unknown> {
    if (url.pathname === '/peers') return once_('peers', async () => installPeers().then(() => true))
    const migrations = url.searchParams.get('migrations') ?? undefined
    const key = migrationsHash(await readMigrations(migrations)).slice(0, 16)
    if (url.pathname === '/pglite') return { image: await once_(`image ${key}`, () => prepareImage({ migrations })) }
    server ??= startPostgresServer()
    const running = await server
    return {
      url: running.url(),
      template: await once_(`template ${key}`, () => createTemplate(running, key, migrations)),
    }
  }

  const service = createServer((request, response) => {
    serve(new URL(request.url ?? '/', 'http://localhost')).then(
      (answer) => response.end(JSON.stringify(answer)),
      (error) => response.writeHead(500).end(String(error?.stack ?? error)),
    )
  }).listen(0, '127.0.0.1')
  await once(service, 'listening')
  project.provide('testDatabases', `http://127.0.0.1:${(service.address() as AddressInfo).port}`)

  return async () => {
    service.close()
    service.closeAllConnections()
    await (await server)?.destroy()
  }
}

async function createTemplate(server: PostgresServer, key: string, migrations: string | undefined): Promise<string> {
  const name = `template_${key}`
  await withClient(server.url(), (client) => client.query(`create database ${name}`))
  await withClient(server.url(name), (client) => migrate(client, migrations))
  return name
}

async function withClient(url: string, fn: (client: pg.Client) => Promise<unknown>): Promise<void> {
  const client = new pg.Client(url)
  await client.connect()
  try {
    await fn(client)
  } finally {
    await client.end()
  }
}

function memoize(): <T>(key: string, make: () => Promise<T>) => Promise<T> {
  const made = new Map<string, Promise<unknown>>()
  return <T>(key: string, make: () => Promise<T>) => {
    if (!made.has(key)) made.set(key, make())
    return made.get(key) as Promise<T>
  }
}
