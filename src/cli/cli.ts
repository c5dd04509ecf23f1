import { exitCodeOf } from '../foundation/kernel/errors.ts'
import { readEnv } from '../foundation/platform/config/env.ts'
import { main } from './main.ts'

/** A closed pipe (`| head`) is how a reader says "enough": the end, not a failure. Output that is lost otherwise is one. */
const enough = Promise.withResolvers<number>()
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') enough.resolve(0)
    else {
      if (stream === process.stdout) process.stderr.write(`error the output cannot be written: ${error.message}\n`)
      enough.resolve(exitCodeOf.unavailable)
    }
  })
}

const surroundings = {
  // Opened by those that read it alone.
  get stdin() {
    return process.stdin
  },
  stdout: process.stdout,
  stderr: process.stderr,
  signals: process,
  env: readEnv(),
  cwd: process.cwd(),
}
process.exit(await Promise.race([main(process.argv.slice(2), surroundings), enough.promise]))
