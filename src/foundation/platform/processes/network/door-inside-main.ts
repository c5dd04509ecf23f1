import { type ChildProcess, spawn } from 'node:child_process'
import { connect, createServer, type Socket } from 'node:net'
import { pipeline } from 'node:stream'

// The first program of a place without a network: opens a door there that leads to a socket outside, starts the work, and
// ends as it does. It stands alone: nothing else of ours can be read in there.
const [socket = '', port = '0', file = '', ...args] = process.argv.slice(2)
const inside = new Set<Socket>()
const door = createServer((visitor) => {
  inside.add(visitor)
  pipeline(visitor, connect(socket), visitor, () => inside.delete(visitor))
})
door.once('error', (error) => {
  console.error(`the door to the models cannot be opened: ${error.message}`)
  process.exitCode = 1
})
door.listen(Number(port), '127.0.0.1', () => endAs(spawn(file, args, { stdio: 'inherit' })))

function endAs(child: ChildProcess): void {
  // The work is told as well, and says when it ends.
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal))
  child.once('error', (error: NodeJS.ErrnoException) => {
    console.error(`${file}: ${error.code === 'ENOENT' ? 'not found' : error.message}`)
    close(error.code === 'ENOENT' ? 127 : 126)
  })
  child.once('exit', (code, signal) => {
    close(code ?? 1)
    if (signal === null) return
    process.removeAllListeners(signal)
    process.kill(process.pid, signal)
  })
}

function close(code: number): void {
  process.exitCode = code
  door.close()
  for (const visitor of inside) visitor.destroy()
}
