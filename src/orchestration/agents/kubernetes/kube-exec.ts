import WebSocket from 'ws'
import { messageOf } from '../../../foundation/kernel/errors.ts'
import type { KubeClient } from './kube-client.ts'
import { kubeErrors } from './kube-errors.ts'

export interface ExecRequest {
  readonly namespace: string
  readonly pod: string
  readonly container: string
  /** `attach`: to the main process; else this is run beside it. */
  readonly command: readonly string[] | 'attach'
  readonly stdin: boolean
  readonly onStdout: (chunk: Buffer) => void | Promise<void>
  readonly onStderr: (chunk: Buffer) => void | Promise<void>
  readonly signal: AbortSignal
}

export interface ExecEnd {
  /** Null: the connection ended, and nobody said how the process did. */
  readonly exitCode: number | null
  /** What the server says beside the code. */
  readonly message: string
}

export interface RunningExec {
  /** Resolves when the bytes are on their way. */
  write(bytes: Uint8Array): Promise<void>
  /** Tells the process that nothing more comes, where the server can (protocol 5). */
  endInput(): void
  readonly ended: Promise<ExecEnd>
  close(): void
}

const channels = { stdin: 0, stdout: 1, stderr: 2, error: 3, close: 255 } as const
const protocols = ['v5.channel.k8s.io', 'v4.channel.k8s.io']
/** Bytes under way before whoever writes has to wait. */
const mostBuffered = 4 * 1_048_576
const frameBytes = 65_536
/** Somebody in between may forget a connection on which nothing is said. */
const pingMs = 20_000

/** A process in a pod with its standard streams, as `kubectl exec` and `kubectl attach` have it. @throws kube-unreachable, kube-refused */
export async function openExec(client: KubeClient, request: ExecRequest): Promise<RunningExec> {
  const { namespace, pod, container, command, stdin, signal } = request
  const { access } = client
  const verb = command === 'attach' ? 'attach' : 'exec'
  const url = client.url(`/api/v1/namespaces/${namespace}/pods/${pod}/${verb}`, {
    ...{ container, stdin, stdout: true, stderr: true, tty: false },
  })
  if (command !== 'attach') for (const part of command) url.searchParams.append('command', part)
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:'
  const token = await access.token()
  signal.throwIfAborted()
  const socket = new WebSocket(url, protocols, {
    headers: token === null ? {} : { authorization: `Bearer ${token}` },
    ...(access.ca === undefined ? {} : { ca: access.ca }),
    ...(access.cert === undefined ? {} : { cert: access.cert }),
    ...(access.key === undefined ? {} : { key: access.key }),
    rejectUnauthorized: !access.insecure,
    handshakeTimeout: 20_000,
    maxPayload: 64 * 1_048_576,
    perMessageDeflate: false,
  })
  const opened = Promise.withResolvers<void>()
  const ended = Promise.withResolvers<ExecEnd>()
  ended.promise.catch(() => {})
  let end: ExecEnd = { exitCode: null, message: 'the connection was lost' }
  let busy: Promise<void> = Promise.resolve()
  const onAbort = () => socket.terminate()
  signal.addEventListener('abort', onAbort, { once: true })
  const ping = setInterval(() => socket.readyState === WebSocket.OPEN && socket.ping(), pingMs)
  socket.once('open', () => opened.resolve())
  socket.on('unexpected-response', (_, response) => {
    const said = `${verb} in ${pod}: ${response.statusCode} ${response.statusMessage ?? ''}`
    const refused = response.statusCode === 401 || response.statusCode === 403
    opened.reject(refused ? kubeErrors['kube-refused'](said) : kubeErrors['kube-unreachable'](said))
    response.resume()
    socket.terminate()
  })
  socket.on('error', (error) => {
    opened.reject(kubeErrors['kube-unreachable'](`${verb} in ${pod}: ${messageOf(error)}`))
  })
  socket.on('message', (data: Buffer) => {
    const [channel] = data
    const content = data.subarray(1)
    if (channel === channels.error) end = endOf(content)
    const take = channel === channels.stdout ? request.onStdout : channel === channels.stderr ? request.onStderr : null
    if (take === null || content.length === 0) return
    // Whoever takes the output sets the pace.
    socket.pause()
    busy = busy
      .then(() => take(content))
      .then(
        () => socket.resume(),
        (error: unknown) => {
          ended.reject(error)
          socket.terminate()
        },
      )
  })
  socket.once('close', () => {
    clearInterval(ping)
    signal.removeEventListener('abort', onAbort)
    opened.reject(kubeErrors['kube-unreachable'](`${verb} in ${pod}: the connection was closed`))
    busy.finally(() => ended.resolve(end)).catch(() => {})
  })
  await opened.promise
  const send = (channel: number, content: Uint8Array) =>
    new Promise<void>((resolve, reject) => {
      const frame = Buffer.concat([Buffer.from([channel]), content])
      socket.send(frame, (error) => (error ? reject(error) : undefined))
      const settle = () => {
        if (socket.bufferedAmount < mostBuffered || socket.readyState !== WebSocket.OPEN) resolve()
        else setTimeout(settle, 5)
      }
      settle()
    })
  return {
    async write(bytes) {
      for (let at = 0; at < bytes.length; at += frameBytes)
        await send(channels.stdin, bytes.subarray(at, at + frameBytes))
    },
    endInput() {
      if (socket.protocol === protocols[0]) void send(channels.close, Buffer.from([channels.stdin])).catch(() => {})
    },
    ended: ended.promise,
    close: () => socket.terminate(),
  }
}

/** The last word of the server: a Status, whose details hold the exit code. */
function endOf(content: Buffer): ExecEnd {
  let status: {
    readonly status?: string
    readonly message?: string
    readonly details?: { readonly causes?: readonly { readonly reason?: string; readonly message?: string }[] }
  }
  try {
    status = JSON.parse(content.toString('utf8'))
  } catch {
    return { exitCode: null, message: content.toString('utf8').slice(0, 500) }
  }
  if (status.status === 'Success') return { exitCode: 0, message: '' }
  const code = status.details?.causes?.find(({ reason }) => reason === 'ExitCode')?.message
  return { exitCode: code === undefined ? null : Number(code), message: status.message ?? '' }
}
