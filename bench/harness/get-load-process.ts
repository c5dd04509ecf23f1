import type { Socket } from 'node:net'
import { driveSockets } from './drive-sockets.ts'
import { serveCalls } from './worker-process.ts'

/** The same GET over and over, on kept connections with one request under way on each. */
export interface GetLoad {
  readonly port: number
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly connections: number
  readonly warmUpMs: number
  readonly measureMs: number
}

export interface GetLoadResult {
  /** Answers of 200 within the time measured. */
  readonly answered: number
  /** Any other, and one of them. */
  readonly refused: number
  readonly example: string | null
  readonly seconds: number
  readonly latenciesMs: readonly number[]
}

async function run(load: GetLoad): Promise<GetLoadResult> {
  const headers = Object.entries(load.headers).map(([name, value]) => `${name}: ${value}\r\n`)
  const request = Buffer.from(`GET ${load.path} HTTP/1.1\r\nhost: bench\r\n${headers.join('')}\r\n`)
  const latenciesMs: number[] = []
  const phase = { measuring: false, stopped: false }
  let answered = 0
  let refused = 0
  let example: string | null = null

  const drive = (socket: Socket) =>
    new Promise<void>((resolve, reject) => {
      let head = ''
      let left = -1
      let sentAt = 0
      const send = () => {
        head = ''
        left = -1
        sentAt = performance.now()
        socket.write(request)
      }
      socket.on('data', (part: Buffer) => {
        if (left === -1) {
          head += part.toString('latin1')
          const end = head.indexOf('\r\n\r\n')
          if (end === -1) return
          const length = /content-length: (\d+)/i.exec(head)?.[1]
          if (length === undefined) return reject(new Error(`an answer without a length: ${head.slice(0, 300)}`))
          left = Number(length) - (head.length - end - 4)
        } else left -= part.length
        if (left > 0) return
        if (phase.measuring) {
          latenciesMs.push(performance.now() - sentAt)
          if (head.startsWith('HTTP/1.1 200')) answered += 1
          else {
            refused += 1
            example = head.slice(0, 1_000)
          }
        }
        if (!phase.stopped) return send()
        socket.end()
        resolve()
      })
      socket.once('error', reject)
      send()
    })

  const seconds = await driveSockets(load, phase, drive)
  return { answered, refused, example, seconds, latenciesMs }
}

serveCalls({ start: async () => null, stop: async () => null, run })
