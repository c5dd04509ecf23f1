import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, chown, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { embeddedBinaries } from './postgres-binaries.ts'

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
  /** The folder of `initdb` and `postgres`. Default: the PostgreSQL 18 from npm. */
  readonly binaries?: string
}

/** A private PostgreSQL in a temporary folder, on a free loopback port. */
export async function startPostgresServer(options: PostgresServerOptions = {}): Promise<PostgresServer> {
  const { durable = false, settings = {}, binaries = embeddedBinaries() } = options
  const folder = await temporaryFolder()
  const data = join(folder, 'data')
  const account = await serverAccount()
  const port = await freePort()
  const flags = {
    port: String(port),
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: '300',
    ...(durable ? {} : { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' }),
    ...settings,
  }
  let child: ChildProcess | undefined

  async function launch(): Promise<void> {
    const args = ['-D', data, ...Object.entries(flags).flatMap(([name, value]) => ['-c', `${name}=${value}`])]
    child = spawn(join(binaries, 'postgres'), args, { ...account, stdio: ['ignore', 'ignore', 'pipe'] })
    await waitForLine(child, 'ready to accept connections')
  }

  async function start(): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await launch()
      } catch (error) {
        // After kill -9 the orphaned server processes hold the shared memory for a moment.
        if (attempt === 50 || !String(error).includes('shared memory')) throw error
        await sleep(100)
      }
    }
  }

  async function stop(how: 'fast' | 'immediate' | 'kill' = 'fast'): Promise<void> {
    if (!child || hasEnded(child)) return
    const ended = once(child, 'exit')
    child.kill(how === 'fast' ? 'SIGINT' : how === 'immediate' ? 'SIGQUIT' : 'SIGKILL')
    await ended
  }

  // A run that ends without its teardown takes the server along.
  const onExit = () => void child?.kill('SIGQUIT')
  process.once('exit', onExit)
  const password = randomBytes(12).toString('hex')
  await writeFile(join(folder, 'password'), password)
  await mkdir(data, { mode: 0o700 })
  if (account.uid !== undefined && account.gid !== undefined) await chown(data, account.uid, account.gid)
  await initialise(binaries, folder, account)
  await start()
  return {
    port,
    url: (database = 'postgres') => `postgres://postgres:${password}@127.0.0.1:${port}/${database}`,
    stop,
    start,
    async destroy() {
      process.off('exit', onExit)
      await stop('immediate')
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function initialise(binaries: string, folder: string, account: Account): Promise<void> {
  const files = ['-D', join(folder, 'data'), `--pwfile=${join(folder, 'password')}`]
  const args = [...files, '-U', 'postgres', '--auth=password', '--no-sync', '--encoding=UTF8', '--locale=C.UTF-8']
  const child = spawn(join(binaries, 'initdb'), args, { ...account, stdio: ['ignore', 'ignore', 'pipe'] })
  const errors: string[] = []
  child.stderr.on('data', (data) => errors.push(String(data)))
  const [code] = await once(child, 'exit')
  if (code !== 0) throw new Error(`initdb failed: ${errors.join('')}`)
}

/** Waits until the server logs the text, or fails with its log when it ends before. */
function waitForLine(child: ChildProcess, text: string): Promise<void> {
  const log: string[] = []
  return new Promise((resolve, reject) => {
    child.stderr?.on('data', (data) => {
      // Only the beginning is of interest, but the pipe must be drained to the end.
      if (log.length < 200) log.push(String(data))
      if (log.at(-1)?.includes(text)) resolve()
    })
    child.once('error', reject)
    child.once('exit', () => reject(new Error(`PostgreSQL did not start:\n${log.join('')}`)))
  })
}

export interface Account {
  readonly uid?: number
  readonly gid?: number
}

/** PostgreSQL refuses to run as root: then another account of the system is lent to it. */
export async function serverAccount(): Promise<Account> {
  if (process.getuid?.() !== 0) return {}
  const accounts = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'))
  const found = ['postgres', 'nobody'].map((name) => accounts.find((fields) => fields[0] === name)).find(Boolean)
  if (!found) throw new Error('tests that run as root need an account `postgres` or `nobody`')
  return { uid: Number(found[2]), gid: Number(found[3]) }
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null
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

/** A temporary folder of a test, which other accounts can pass through. The next run removes it if this one is killed. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), `${prefix}${process.pid}-`))
  await chmod(folder, 0o711)
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

export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as AddressInfo
  probe.close()
  await once(probe, 'close')
  return port
}
