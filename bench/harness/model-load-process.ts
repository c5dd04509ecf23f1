import { connect, type Socket } from 'node:net'
import { serveCalls, sharedClock } from './worker-process.ts'

/** Calls of a model over kept connections, one under way on each. */
export interface ModelLoad {
  readonly url: string
  readonly key: string
  readonly callers: number
  readonly stream: boolean
  /** Which of the provider's ways to answer. */
  readonly said: string
  readonly warmUpMs: number
  readonly measureMs: number
}

export interface ModelLoadResult {
  /** Of whole answers, without what the provider says it took, ms. */
  readonly latenciesMs: readonly number[]
  /** From the provider's writing of a word to its arrival, ms. */
  readonly wordsMs: readonly number[]
  readonly failed: number
}

/** It does as little as it can, so that what is measured is the server. */
async function run(load: ModelLoad): Promise<ModelLoadResult> {
  const { hostname, port } = new URL(load.url)
  const content = 'Write a function that adds two numbers, and say what it does. '.repeat(16)
  const messages = [
    { role: 'system', content },
    { role: 'user', content: load.said },
  ]
  const body = JSON.stringify({ model: 'gpt-4o', max_tokens: 200, stream: load.stream, messages })
  const request =
    `POST /v1/chat/completions HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n` +
    `authorization: Bearer ${load.key}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
  const latenciesMs: number[] = []
  const wordsMs: number[] = []
  let failed = 0
  let measuring = false
  let stopped = false

  const drive = (socket: Socket) =>
    new Promise<void>((resolve, reject) => {
      let text = ''
      let sentAt = 0
      const send = () => {
        sentAt = performance.now()
        socket.write(request)
      }
      socket.setEncoding('latin1')
      socket.on('data', (part: string) => {
        if (load.stream && measuring) {
          const now = sharedClock()
          for (const [, stamp] of part.matchAll(/"content":"(\d{9,}) /g))
            wordsMs.push(Number(now - BigInt(stamp!)) / 1e6)
        }
        text += part
        if (!isWhole(text)) return
        if (measuring) {
          latenciesMs.push(performance.now() - sentAt - Number(/\((\d+) ms\)/.exec(text)?.[1] ?? 0))
          if (!text.startsWith('HTTP/1.1 200')) failed += 1
        }
        text = ''
        if (stopped) {
          socket.end()
          resolve()
        } else send()
      })
      socket.once('error', reject)
      send()
    })

  const sockets = await Promise.all(
    Array.from(
      { length: load.callers },
      () =>
        new Promise<Socket>((resolve, reject) => {
          const socket = connect(Number(port), hostname, () => resolve(socket.setNoDelay(true)))
          socket.once('error', reject)
        }),
    ),
  )
  const driven = Promise.all(sockets.map(drive))
  await new Promise((resolve) => setTimeout(resolve, load.warmUpMs))
  measuring = true
  await new Promise((resolve) => setTimeout(resolve, load.measureMs))
  measuring = false
  stopped = true
  await driven
  return { latenciesMs, wordsMs, failed }
}

function isWhole(text: string): boolean {
  const head = text.indexOf('\r\n\r\n')
  if (head === -1) return false
  const length = /content-length: (\d+)/i.exec(text.slice(0, head))?.[1]
  return length === undefined ? text.endsWith('0\r\n\r\n') : text.length >= head + 4 + Number(length)
}

serveCalls({ start: async () => null, stop: async () => null, run })
