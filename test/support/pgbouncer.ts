import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort, type PostgresServer, serverAccount, temporaryFolder } from './postgres-server.ts'

export interface Pgbouncer {
  url(database?: string): string
  stop(): Promise<void>
}

/** The installed PgBouncer, if there is one; `PGBOUNCER` names another. */
export const pgbouncerBinary = [process.env.PGBOUNCER, '/usr/sbin/pgbouncer'].find((path) => path && existsSync(path))

/** Runs PgBouncer in front of a server. `ignoreOptions` makes it drop start-up options instead of refusing them. */
export async function startPgbouncer(
  server: PostgresServer,
  mode: 'session' | 'transaction',
  ignoreOptions: boolean,
): Promise<Pgbouncer> {
  const folder = await temporaryFolder()
  const port = await freePort()
  const config = join(folder, 'pgbouncer.ini')
  const password = new URL(server.url()).password
  await writeFile(
    config,
    `[databases]
* = host=127.0.0.1 port=${server.port} user=postgres password=${password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = ${mode}
${ignoreOptions ? 'ignore_startup_parameters = options' : ''}
`,
  )
  const child = spawn(pgbouncerBinary!, [config], { ...(await serverAccount()), stdio: ['ignore', 'ignore', 'pipe'] })
  await new Promise<void>((resolve, reject) => {
    const log: string[] = []
    child.stderr.on('data', (data) => {
      log.push(String(data))
      if (String(data).includes('process up')) resolve()
    })
    child.once('error', reject)
    child.once('exit', () => reject(new Error(`PgBouncer did not start:\n${log.join('')}`)))
  })
  return {
    url: (database = 'postgres') => `postgres://postgres@127.0.0.1:${port}/${database}`,
    async stop() {
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
      await rm(folder, { recursive: true, force: true })
    },
  }
}
