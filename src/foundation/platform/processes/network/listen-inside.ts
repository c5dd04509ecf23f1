import { spawn } from 'node:child_process'
import type { Server } from 'node:net'
import { fileURLToPath } from 'node:url'
import { processErrors } from '../process-errors.ts'

export interface NetworkOf {
  /** A process whose network is meant. */
  readonly pid: number
  /** It belongs to users of its own, as where there is no root. */
  readonly ownUsers: boolean
}

const program = fileURLToPath(
  new URL(`./listen-inside-main${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url),
)
const patienceMs = 20_000

/**
 * Listens on 127.0.0.1 in the network of another process, which is not ours: what connects there arrives here. The caller
 * closes it. Connections are paused. @throws network-unreachable
 */
export async function listenInside({ pid, ownUsers }: NetworkOf, port: number, signal: AbortSignal): Promise<Server> {
  const users = ownUsers ? ['--preserve-credentials', '--user'] : []
  const args = [...users, '--net', '--target', String(pid), process.execPath, '--no-warnings', program, String(port)]
  const over = AbortSignal.any([signal, AbortSignal.timeout(patienceMs)])
  const child = spawn('nsenter', args, { stdio: ['ignore', 'ignore', 'pipe', 'ipc'], signal: over })
  let said = ''
  child.stderr!.setEncoding('utf8')
  child.stderr!.on('data', (text: string) => {
    said = (said + text).slice(-1_000)
  })
  return new Promise((resolve, reject) => {
    const fail = (why: string) =>
      reject(processErrors['network-unreachable'](`nothing can listen in the network of the process ${pid}: ${why}`))
    child.once('error', (error: NodeJS.ErrnoException) =>
      fail(error.code === 'ENOENT' ? 'nsenter is not installed' : error.message),
    )
    child.once('message', (message: { readonly problem: string | null }, handle) => {
      if (handle === undefined || message.problem !== null) fail(message.problem ?? 'nothing was handed over')
      else resolve(handle as Server)
    })
    child.once('close', (code) => fail(said.trim().split('\n').at(-1) || `nsenter ended with ${code}`))
  })
}
