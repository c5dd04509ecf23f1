import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import { Server as TlsServer } from 'node:tls'

/** Knows which connections have a request under way. */
export interface OpenConnections {
  /** From now on, ends each connection as soon as nothing is under way on it, and at once those where nothing is. */
  drain(): void
  /** Ends all of them, whatever is under way. */
  cut(): void
  /** Requests that began, and those whose answer left as a whole. */
  readonly begun: number
  readonly answered: number
}

/**
 * Node's own `closeIdleConnections` leaves connections alone that have not sent a request yet, and clients open some
 * ahead of need: a server would wait for them until it cuts everything.
 */
export function trackConnections(server: Server): OpenConnections {
  const underWay = new Map<Socket, number>()
  let draining = false
  let begun = 0
  let answered = 0
  // Over TLS, requests know the secured socket alone.
  server.on(server instanceof TlsServer ? 'secureConnection' : 'connection', (socket: Socket) => {
    underWay.set(socket, 0)
    socket.once('close', () => underWay.delete(socket))
  })
  server.on('upgrade', (_request, socket: Socket) => {
    if (underWay.has(socket)) underWay.set(socket, 1)
  })
  server.on('request', ({ socket }, response) => {
    begun += 1
    underWay.set(socket, (underWay.get(socket) ?? 0) + 1)
    response.once('close', () => {
      if (response.writableFinished) answered += 1
      const left = (underWay.get(socket) ?? 1) - 1
      if (underWay.has(socket)) underWay.set(socket, left)
      if (draining && left === 0) socket.end()
    })
  })
  return {
    cut() {
      for (const socket of underWay.keys()) socket.destroy()
    },
    get begun() {
      return begun
    },
    get answered() {
      return answered
    },
    drain() {
      draining = true
      for (const [socket, count] of underWay) if (count === 0) socket.destroy()
    },
  }
}
