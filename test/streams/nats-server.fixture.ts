import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../support/postgres-server.ts'

/** The installed NATS server, if there is one (Debian: `apt-get install nats-server`); `NATS_SERVER` names another. */
export const natsBinary = [process.env.NATS_SERVER, '/usr/sbin/nats-server', '/usr/bin/nats-server'].find(
  (path) => path !== undefined && existsSync(path),
)

export interface NatsServer extends AsyncDisposable {
  readonly url: string
  readonly port: number
  kill(): Promise<void>
  /** Starts it again on the same port with the same data. */
  restart(): Promise<void>
}

/** Runs a NATS server with JetStream on loopback; `more` goes into its configuration. */
export async function startNats(more = ''): Promise<NatsServer> {
  const folder = await mkdtemp(join(tmpdir(), 'leanvibe-nats-'))
  const port = await freePort()
  const config = join(folder, 'nats.conf')
  await writeFile(config, `listen: 127.0.0.1:${port}\njetstream { store_dir: "${join(folder, 'data')}" }\n${more}\n`)
  const start = async () => {
    const child = spawn(natsBinary!, ['-c', config], { stdio: ['ignore', 'ignore', 'pipe'] })
    await new Promise<void>((resolve, reject) => {
      const log: string[] = []
      child.stderr.on('data', (data) => {
        log.push(String(data))
        if (String(data).includes('Server is ready')) resolve()
      })
      child.once('error', reject)
      child.once('exit', () => reject(new Error(`NATS did not start:\n${log.join('')}`)))
    })
    return child
  }
  let child = await start()
  const kill = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
  }
  return {
    url: `nats://127.0.0.1:${port}`,
    port,
    kill,
    async restart() {
      await kill()
      child = await start()
    },
    async [Symbol.asyncDispose]() {
      await kill()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
