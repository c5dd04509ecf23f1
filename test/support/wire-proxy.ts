import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export interface WireProxy {
  readonly port: number
  /** What to do with the next bytes from a client that hold the text: `lose` drops them, `deliver` passes them on; then the connection breaks. */
  breakAt(text: string, how: 'lose' | 'deliver'): void
  /** While on, bytes from the clients go nowhere and no connection breaks, as when a host vanishes. */
  swallow(on: boolean): void
  /** Breaks every connection now. */
  breakAll(): void
  close(): Promise<void>
}

/** A TCP proxy that breaks connections at a chosen moment, as a network would. */
export async function startWireProxy(targetPort: number): Promise<WireProxy> {
  const sockets = new Set<Socket>()
  let swallowing = false
  let trap: { text: string; how: 'lose' | 'deliver' } | undefined

  const server = createServer((client) => {
    const upstream = connect(targetPort, '127.0.0.1')
    const both = [client, upstream]
    const breakBoth = () => {
      for (const socket of both) socket.destroy()
    }
    for (const socket of both) {
      sockets.add(socket)
      socket.on('error', breakBoth)
      socket.on('close', () => {
        sockets.delete(socket)
        breakBoth()
      })
    }
    upstream.on('data', (bytes) => client.write(bytes))
    client.on('data', (bytes) => {
      if (swallowing) return
      if (!trap || !bytes.includes(trap.text)) return upstream.write(bytes)
      const { how } = trap
      trap = undefined
      client.destroy()
      if (how === 'deliver') upstream.write(bytes)
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')

  return {
    port: (server.address() as AddressInfo).port,
    breakAt(text, how) {
      trap = { text, how }
    },
    swallow(on) {
      swallowing = on
    },
    breakAll() {
      for (const socket of sockets) socket.destroy()
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
