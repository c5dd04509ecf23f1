import { Supervisor } from './index.ts'

// A runner for tests, to be killed: starts each command it is given and prints a line once all run.
// Arguments: folder, failpoints, then one JSON list { marker, file, args } per command.
const [folder = '', failpoints = '', ...commands] = process.argv.slice(2)
const supervisor = new Supervisor({ folder, failpoints })
for (const text of commands) {
  const command = JSON.parse(text) as { marker: string; file: string; args: string[] }
  const running = await supervisor.start({
    ...command,
    env: { PATH: '/usr/local/bin:/usr/bin:/bin' },
    cwd: '/',
    onStdout: (chunk) => void process.stdout.write(chunk),
    onStderr: (chunk) => void process.stderr.write(chunk),
  })
  running.ended.then((end) => console.log(`ended ${JSON.stringify(end)}`))
}
console.log(`running ${supervisor.pid}`)
process.stdin.on('end', () => void supervisor.close()).resume()
