import type { CliCommand, CliContext } from '../command.ts'
import { load } from '../connect.ts'
import { createLineLogger } from '../line-logger.ts'
import { wholeNumber } from '../parse-options.ts'

interface Options {
  readonly port?: number
  readonly agents?: number
}

export const serve: CliCommand = {
  configure(command, act) {
    command
      .option('--port <n>', 'port on 127.0.0.1 (default: a free one)', wholeNumber)
      .option('--agents <n>', 'local agents', wholeNumber)
      .addHelpText(
        'after',
        '\nOther calls on the same data folder find it by themselves. Ctrl-C stops to take work, then ends.',
      )
      .action(act(run))
  },
}

async function run(context: CliContext, { port, agents }: Options): Promise<number> {
  const { out, interrupts } = context
  const loaded = await load(context, { port, agents })
  const [{ startServer }, { openPlatform }] = await Promise.all([
    import('../../app/server.ts'),
    import('../../app/context.ts'),
  ])
  const logger = createLineLogger(out.stderr, loaded.config.log.level)
  const server = await startServer(loaded, { openPlatform, logger })
  out.lines(`listening on ${server.url}`, `data folder  ${server.folder}`, `token file   ${server.folder}/token`)
  out.document({ type: 'listening', url: server.url, folder: server.folder, pid: process.pid })
  const lost = await untilAborted(interrupts.signal, server.lost)
  if (lost) out.note('the data folder was taken over by another host: ending')
  await server.close({ graceMs: 10_000 })
  return lost ? 75 : 0
}

/** Waits for the user, or for the loss of the data folder; true for the latter. */
function untilAborted(user: AbortSignal, lost: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const either = AbortSignal.any([user, lost])
    const done = () => resolve(lost.aborted)
    either.addEventListener('abort', done, { once: true })
    if (either.aborted) done()
  })
}
