import { connect, type Socket } from 'node:net'
import { serveCalls, sharedClock } from './worker-process.ts'

export interface Readers {
  readonly port: number
  readonly path: string
  readonly token: string
  readonly count: number
}

export interface Seen {
  /** Events received by all readers together. */
  readonly events: number
  /** Of the reader that has fewest. */
  readonly fewest: number
  readonly lastAt: string
  /** What the server said last to readers that it has cut. */
  readonly cut: readonly string[]
}

const sockets: Socket[] = []
let counts: Uint32Array = new Uint32Array(0)
let lastAt = 0n
let timing = false
const latenciesMs: number[] = []
const cut: string[] = []

/** Opens server-sent event streams and counts what comes; reading is all that these clients do. */
async function open({ port, path, token, count }: Readers): Promise<null> {
  counts = new Uint32Array(count)
  for (let n = 0; n < count; n++) {
    await new Promise<void>((resolve, reject) => {
      const socket = connect(port, '127.0.0.1')
      let opened = false
      let tail = ''
      socket.setEncoding('latin1')
      socket.once('error', reject)
      socket.once('close', () => {
        cut.push(tail)
        reject(new Error(`a reader is closed at once: ${tail}`))
      })
      socket.write(`GET ${path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer ${token}\r\n\r\n`)
      socket.on('data', (part: string) => {
        if (!opened && part.includes('200 OK')) {
          opened = true
          resolve()
        }
        const text = tail + part
        const before = counts[n]!
        let from = 0
        for (let at = text.indexOf('\nid: ', from); at !== -1; at = text.indexOf('\nid: ', from)) {
          counts[n]! += 1
          from = at + 5
        }
        tail = text.slice(Math.max(from, text.length - 400))
        if (counts[n] === before) return
        lastAt = sharedClock()
        if (!timing) return
        for (const match of part.matchAll(/"sentAt":"(\d+)"/g)) {
          latenciesMs.push(Number(lastAt - BigInt(match[1]!)) / 1e6)
        }
      })
      sockets.push(socket)
    })
  }
  return null
}

const seen = async (): Promise<Seen> => ({
  events: counts.reduce((sum, count) => sum + count, 0),
  fewest: counts.reduce((least, count) => Math.min(least, count), Number.POSITIVE_INFINITY),
  lastAt: String(lastAt),
  cut,
})

serveCalls({
  start: async () => null,
  open,
  seen,
  startTiming: async () => {
    timing = true
    latenciesMs.length = 0
  },
  latencies: async () => latenciesMs,
  stop: async () => {
    for (const socket of sockets) socket.removeAllListeners('close').destroy()
  },
})
