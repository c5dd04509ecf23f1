import { createServer, type IncomingMessage, type RequestListener, type Server, ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { httpErrors } from './http-errors.ts'
import { type OpenConnections, trackConnections } from './open-connections.ts'
import { problemMediaType, toProblem } from './problem.ts'
import type { Upgrade } from './route.ts'

export interface ListenOptions {
  /** An address that other machines can reach needs `tls`, or `plaintext` to say that a proxy does it. Default 127.0.0.1. */
  readonly host?: string
  /** 0, the default, takes a free one. */
  readonly port?: number
  /** Certificate chain and key in PEM. */
  readonly tls?: { readonly cert: string; readonly key: string }
  readonly plaintext?: boolean
  /** Only these paths are answered here; all where left out. */
  readonly paths?: readonly string[]
}

export interface Listener {
  readonly server: Server
  readonly connections: OpenConnections
  readonly url: string
  readonly port: number
}

export interface ListenerSettings {
  readonly handle: RequestListener
  /** Upgrades wait here for the route that takes them over. */
  readonly upgrades: WeakMap<IncomingMessage, Upgrade>
  /** A whole request must have arrived within this time, its headers within a third of it. */
  readonly requestTimeoutMs: number
}

/** Bytes of all headers of one request. */
const mostHeaderBytes = 16_384
const loopback: ReadonlySet<string> = new Set(['127.0.0.1', '::1', 'localhost'])

/** Opens one port. Errors: `bind-refused`, `address-in-use`, `tls-unusable`. */
export async function listen(options: ListenOptions, settings: ListenerSettings): Promise<Listener> {
  const { host = '127.0.0.1', port = 0, tls, plaintext = false } = options
  if (!loopback.has(host) && tls === undefined && !plaintext) {
    throw httpErrors['bind-refused'](`will not listen on ${host} without TLS: it is not a loopback address`)
  }
  const server = createPort(options, settings)
  const connections = trackConnections(server)
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => refuse(error, socket))
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    settings.upgrades.set(request, { request, socket, head })
    const response = new ServerResponse(request)
    // Where no route takes the connection over, it gets an ordinary answer and ends.
    response.assignSocket(socket as Socket)
    response.once('finish', () => socket.end())
    socket.on('error', () => socket.destroy())
    settings.handle(request, response)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EADDRINUSE') reject(error)
      else reject(httpErrors['address-in-use'](`port ${port} on ${host} is taken`, { cause: error }))
    })
    server.listen(port, host, resolve)
  })
  const address = server.address() as AddressInfo
  const shown = address.family === 'IPv6' ? `[${address.address}]` : address.address
  const scheme = tls === undefined ? 'http' : 'https'
  return { server, connections, url: `${scheme}://${shown}:${address.port}`, port: address.port }
}

function createPort({ tls, paths }: ListenOptions, { handle, requestTimeoutMs }: ListenerSettings): Server {
  const limits = {
    maxHeaderSize: mostHeaderBytes,
    requestTimeout: requestTimeoutMs,
    headersTimeout: Math.ceil(requestTimeoutMs / 3),
    connectionsCheckingInterval: Math.max(50, Math.min(5_000, Math.ceil(requestTimeoutMs / 6))),
    // Longer than the minute after which proxies usually close, so that they are the ones to do it.
    keepAliveTimeout: 72_000,
    noDelay: true,
  }
  const listener: RequestListener = paths === undefined ? handle : onlyPaths(new Set(paths), handle)
  if (tls === undefined) return createServer(limits, listener)
  try {
    return createTlsServer({ ...limits, ...tls, minVersion: 'TLSv1.2' }, listener)
  } catch (cause) {
    throw httpErrors['tls-unusable']('the certificate and key are not usable', { cause })
  }
}

function onlyPaths(paths: ReadonlySet<string>, handle: RequestListener): RequestListener {
  return (request, response) => {
    if (paths.has(request.url?.split('?')[0] ?? '')) handle(request, response)
    else response.writeHead(404).end()
  }
}

/** What never became a request is answered by hand, so that its sender learns why. */
function refuse(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (!socket.writable || (socket as Duplex & { _httpMessage?: { headersSent: boolean } })._httpMessage?.headersSent) {
    socket.destroy()
    return
  }
  const code =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? 'headers-too-large'
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? 'request-too-slow'
        : 'request-malformed'
  const problem = toProblem(httpErrors[code]('the request cannot be read'), '')
  const body = JSON.stringify(problem)
  socket.end(
    `HTTP/1.1 ${problem.status} Refused\r\ncontent-type: ${problemMediaType}\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  )
}
