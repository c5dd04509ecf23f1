import type { Server } from 'node:http'
import type { Socket } from 'node:net'

/** Knows which connections have a request under way. */
export interface OpenConnections {
  /** From now on, ends each connection as soon as nothing is under way on it, and at once those where nothing is. */
  drain(): void
}

/**
 * Node's own `closeIdleConnections` leaves connections alone that have not sent a request yet, and clients open some
 * ahead of need: a server would wait for them until it cuts everything.
 */
export function trackConnections(server: Server): OpenConnections {
  const underWay = new Map<Socket, number>()
  let draining = false
  server.on('connection', (socket) => {
    if (draining) socket.destroy()
    underWay.set(socket, 0)
    socket.once('close', () => underWay.delete(socket))
  })
  server.on('request', ({ socket }, response) => {
    underWay.set(socket, (underWay.get(socket) ?? 0) + 1)
    response.once('close', () => {
      const left = (underWay.get(socket) ?? 1) - 1
      if (underWay.has(socket)) underWay.set(socket, left)
      if (draining && left === 0) socket.end()
    })
  })
  return {
    drain() {
      draining = true
      for (const [socket, count] of underWay) if (count === 0) socket.destroy()
    },
  }
}
