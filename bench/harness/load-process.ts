import { createHmac } from 'node:crypto'
import type { Socket } from 'node:net'
import { driveSockets } from './drive-sockets.ts'
import { serveCalls } from './worker-process.ts'

/** What the client sends: signed requests to one address over kept connections, one under way on each. */
export interface Load {
  readonly port: number
  readonly path: string
  readonly secret: string
  readonly connections: number
  readonly warmUpMs: number
  readonly measureMs: number
  /** Bytes of a body, about. */
  readonly bytes: number
  /** Told apart in the delivery ids of several rounds. */
  readonly round: string
}

export interface LoadResult {
  /** Answers of 2xx within the time measured. */
  readonly answered: number
  readonly refused: number
  readonly seconds: number
  readonly latenciesMs: readonly number[]
}

/** Every client of a bench is alike and does as little as it can, so that the server is what is measured. */
async function run(load: Load): Promise<LoadResult> {
  const filler = 'x'.repeat(Math.max(0, load.bytes - 60))
  let next = 0
  const phase = { measuring: false, stopped: false }
  let answered = 0
  let refused = 0
  const latenciesMs: number[] = []

  const request = (): Buffer => {
    const n = ++next
    const body = JSON.stringify({ ref: 'refs/heads/main', n, round: load.round, filler })
    const signature = createHmac('sha256', load.secret).update(body).digest('hex')
    return Buffer.from(
      `POST ${load.path} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\nx-github-event: push\r\n` +
        `x-github-delivery: ${load.round}-${n}\r\nx-hub-signature-256: sha256=${signature}\r\n` +
        `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    )
  }
  const drive = (socket: Socket) =>
    new Promise<void>((resolve, reject) => {
      let text = ''
      let sentAt = 0
      const send = () => {
        sentAt = performance.now()
        socket.write(request())
      }
      socket.setEncoding('latin1')
      socket.on('data', (part: string) => {
        text += part
        const head = text.indexOf('\r\n\r\n')
        if (head === -1) return
        const length = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0)
        if (text.length < head + 4 + length) return
        const ok = text.startsWith('HTTP/1.1 2')
        text = ''
        if (phase.measuring) {
          latenciesMs.push(performance.now() - sentAt)
          if (ok) answered += 1
          else refused += 1
        }
        if (phase.stopped) {
          socket.end()
          resolve()
        } else send()
      })
      socket.once('error', reject)
      send()
    })

  const seconds = await driveSockets(load, phase, drive)
  return { answered, refused, seconds, latenciesMs }
}

serveCalls({ start: async () => null, stop: async () => null, run })
