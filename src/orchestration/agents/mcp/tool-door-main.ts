import { connect } from 'node:net'

// Started by an agent as an MCP server of its own: passes everything on to the program that decides.
const socket = connect(process.argv[2] ?? '')
socket.on('error', (error) => {
  process.stderr.write(`the tools cannot be reached: ${error.message}\n`)
  process.exitCode = 69
  process.stdin.destroy()
})
socket.on('close', () => process.stdin.destroy())
process.stdin.on('error', () => socket.end())
process.stdout.on('error', () => socket.destroy())
process.stdin.pipe(socket)
socket.pipe(process.stdout)
