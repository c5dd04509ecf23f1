import { type ChildProcess, spawn } from 'node:child_process'
import { connect, createServer } from 'node:net'
import { pipeline } from 'node:stream'

// The first program of a place without a network: opens the way to the models there, starts the agent, and ends as it does.
// It stands alone: nothing else of ours can be read in there.
const [socket = '', port = '0', file = '', ...args] = process.argv.slice(2)
const door = createServer((inside) => pipeline(inside, connect(socket), inside, () => {}))
door.once('error', (error) => {
  console.error(`the way to the models cannot be opened: ${error.message}`)
  process.exitCode = 1
})
door.listen(Number(port), '127.0.0.1', () => endAs(spawn(file, args, { stdio: 'inherit' })))

function endAs(child: ChildProcess): void {
  // The agent is told as well, and says when it ends.
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal))
  child.once('error', (error: NodeJS.ErrnoException) => {
    console.error(`${file}: ${error.code === 'ENOENT' ? 'not found' : error.message}`)
    process.exitCode = error.code === 'ENOENT' ? 127 : 126
    door.close()
  })
  child.once('exit', (code, signal) => {
    door.close()
    if (signal === null) process.exit(code ?? 1) // open connections would keep it here
    process.removeAllListeners(signal)
    process.kill(process.pid, signal)
  })
}
