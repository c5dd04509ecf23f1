import { createServer, type Socket } from 'node:net'
import { serveCalls } from './worker-process.ts'

/** Bytes of the body that every request is answered with. */
const body = JSON.stringify({ message: 'x'.repeat(200) })
const answer = Buffer.from(
  `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
)
const sockets = new Set<Socket>()

/** Answers GET requests with the least work there can be, so that what stands before it is what is measured. */
const server = createServer((socket) => {
  sockets.add(socket)
  socket.setNoDelay(true)
  socket.setEncoding('latin1')
  let rest = ''
  socket.on('data', (part: string) => {
    rest += part
    for (let end = rest.indexOf('\r\n\r\n'); end !== -1; end = rest.indexOf('\r\n\r\n')) {
      rest = rest.slice(end + 4)
      socket.write(answer)
    }
  })
  socket.on('error', () => socket.destroy())
  socket.once('close', () => sockets.delete(socket))
})

serveCalls({
  start: async () => null,
  listen: () =>
    new Promise((resolve) => {
      server.listen(0, '127.0.0.1', () => {
        const address = server.address()
        resolve({ port: typeof address === 'object' && address !== null ? address.port : 0 })
      })
    }),
  stop: async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise<void>((resolve) => server.close(() => resolve()))
  },
})
