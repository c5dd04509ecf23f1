import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export interface WireProxy {
  readonly port: number
  /** What to do with the next bytes from a client that hold the text: `lose` drops them, `deliver` passes them on; then the connection breaks. */
  breakAt(text: string, how: 'lose' | 'deliver'): void
  /** While on, bytes from the clients go nowhere and no connection breaks, as when a host vanishes. */
  swallow(on: boolean): void
  /** While on, nothing passes in either direction and nothing is lost: what was held back follows when it ends. */
  hold(on: boolean): void
  /** The connections that are open now carry nothing any more, for ever, and are not told so. New ones are not concerned. */
  silence(): void
  /** Calls `act` once, with the next bytes from a client that hold the text, before they go on their way. Null: no more. */
  onNext(text: string | null, act?: () => void): void
  /** Breaks every connection now. */
  breakAll(): void
  close(): Promise<void>
}

/** A TCP proxy that breaks connections at a chosen moment, as a network would. */
export async function startWireProxy(targetPort: number): Promise<WireProxy> {
  const sockets = new Set<Socket>()
  let swallowing = false
  let trap: { text: string; how: 'lose' | 'deliver' } | undefined
  let watch: { text: string; act: () => void } | undefined
  let holding = false
  const silenced = new WeakSet<Socket>()

  const server = createServer((client) => {
    const upstream = connect(targetPort, '127.0.0.1')
    const both = [client, upstream]
    if (holding) for (const socket of both) socket.pause()
    const breakBoth = () => {
      for (const socket of both) socket.destroy()
    }
    for (const socket of both) {
      sockets.add(socket)
      socket.on('error', breakBoth)
      socket.on('close', () => {
        sockets.delete(socket)
        if (!silenced.has(socket)) breakBoth()
      })
    }
    upstream.on('data', (bytes) => {
      if (!silenced.has(upstream)) client.write(bytes)
    })
    client.on('data', (bytes) => {
      if (swallowing || silenced.has(client)) return
      if (watch !== undefined && bytes.includes(watch.text)) {
        const { act } = watch
        watch = undefined
        act()
      }
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
    hold(on) {
      holding = on
      for (const socket of sockets) {
        if (on) socket.pause()
        else socket.resume()
      }
    },
    silence() {
      for (const socket of sockets) silenced.add(socket)
    },
    onNext(text, act = () => {}) {
      watch = text === null ? undefined : { text, act }
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
