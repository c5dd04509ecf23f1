import { spawn } from 'node:child_process'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { exitCodeOf } from '../foundation/kernel/errors.ts'
import { cliErrors } from './cli-errors.ts'
import type { CliContext } from './command.ts'
import { findServer, load } from './connect.ts'
import { remoteServerOf } from './remote-server.ts'

/** Starts `leanvibe serve` as a process of its own, unless one serves the folder already; returns when it can take work. */
export async function startInBackground(
  context: CliContext,
  { port, patienceMs = 30_000 }: { readonly port?: number; readonly patienceMs?: number } = {},
): Promise<void> {
  if (remoteServerOf(context) !== null) return
  const { config } = await load(context)
  const folder = config.dataFolder
  if ((await findServer(folder)) !== null) return
  const { prepareDataFolder } = await import('../app/prepare-data-folder.ts')
  await prepareDataFolder(folder)
  const log = await open(join(folder, 'serve.log'), 'a', 0o600)
  const configFile = context.globals.config === undefined ? [] : ['--config', context.globals.config]
  const portFlag = port === undefined ? [] : ['--port', String(port)]
  const child = spawn(
    process.execPath,
    [process.argv[1]!, 'serve', '--no-admin-key', '--data', folder, ...configFile, ...portFlag],
    {
      cwd: context.cwd,
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
    },
  )
  const ended = new Promise<void>((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code) => {
      // Another process took the folder first and will serve it in a moment: that one is as good.
      if (code === exitCodeOf.conflict) resolve()
      else reject(cliErrors['server-not-started'](`the server ended with code ${code}: see ${folder}/serve.log`))
    })
  })
  ended.catch(() => {})
  const deadline = performance.now() + patienceMs
  try {
    while ((await findServer(folder)) === null) {
      context.interrupts.signal.throwIfAborted()
      if (performance.now() > deadline) {
        child.kill()
        throw cliErrors['server-not-started'](
          `the server does not answer after ${patienceMs / 1_000} s: see ${folder}/serve.log`,
        )
      }
      await Promise.race([delay(100), ended.then(() => delay(100))])
    }
  } finally {
    child.removeAllListeners()
    child.unref()
    await log.close()
  }
}
