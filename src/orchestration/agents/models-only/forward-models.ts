import { createServer, type IncomingMessage, request as requestHttp, type Server, type ServerResponse } from 'node:http'
import { request as requestHttps } from 'node:https'
import type { Server as Door, Socket } from 'node:net'
import { pipeline } from 'node:stream'

/** What the model gateway answers; everything else of a server is nobody's business in there. */
const open = /^\/v1\//
/** Of the connection alone: not passed on (RFC 9110, 7.6.1). */
const hopByHop = new Set([
  ...['connection', 'keep-alive', 'proxy-authenticate', 'proxy-authorization', 'te', 'trailer', 'transfer-encoding'],
  ...['upgrade', 'host'],
])
const mostConnections = 64

export interface ModelForwarder {
  close(): Promise<void>
}

/** Passes what comes through a door on to the model gateway, and nothing else. @param gateway its URL, without a path */
export function forwardModels(door: Door, gateway: string): ModelForwarder {
  const target = new URL(gateway)
  const send = target.protocol === 'https:' ? requestHttps : requestHttp
  const server: Server = createServer((request, response) => forward(request, response))
  const sockets = new Set<Socket>()

  function forward(request: IncomingMessage, response: ServerResponse): void {
    const path = request.url ?? '/'
    if (!open.test(path) || path.includes('..')) {
      refuse(response, 403, 'there is nothing here but the model gateway')
      return
    }
    const headers = Object.entries(request.headers).filter(([name]) => !hopByHop.has(name))
    const onward = send(new URL(path, target), { method: request.method, headers: Object.fromEntries(headers) })
    onward.once('error', (error) => refuse(response, 502, `the model gateway cannot be reached: ${error.message}`))
    onward.once('response', (answer) => {
      const kept = Object.entries(answer.headers).filter(([name]) => !hopByHop.has(name))
      response.writeHead(answer.statusCode ?? 502, Object.fromEntries(kept))
      response.flushHeaders()
      // Either side may go at any time; the other is ended with it.
      pipeline(answer, response, () => {})
    })
    response.once('close', () => onward.destroy())
    pipeline(request, onward, () => {})
  }

  door.maxConnections = mostConnections
  door.on('connection', (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    server.emit('connection', socket)
    socket.resume()
  })
  return {
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise<void>((resolve) => door.close(() => resolve()))
      server.closeAllConnections()
    },
  }
}

function refuse(response: ServerResponse, status: number, message: string): void {
  if (response.headersSent) return void response.destroy()
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify({ error: { type: 'invalid_request_error', code: 'models-only', message } }))
}
