import type { RunningServer } from '../../app/server.ts'
import type { CliCommand, CliContext } from '../command.ts'
import { load } from '../connect.ts'
import { createLineLogger } from '../line-logger.ts'
import { wholeNumber } from '../parse-options.ts'

interface Options {
  readonly port?: number
  readonly agents?: number
  readonly host?: string
  readonly tlsCert?: string
  readonly tlsKey?: string
  readonly plaintext?: boolean
  readonly healthPort?: number
  readonly adminKey: boolean
}

export const serve: CliCommand = {
  configure(command, act) {
    command
      .option('--port <n>', 'port (default: a free one)', wholeNumber)
      .option('--host <address>', 'address to listen on (default: 127.0.0.1)')
      .option('--tls-cert <file>', 'certificate chain in PEM')
      .option('--tls-key <file>', 'its key in PEM')
      .option('--plaintext', 'listen for other machines without TLS, because a proxy does it')
      .option('--health-port <n>', 'a port of its own for /livez and /readyz', wholeNumber)
      .option('--no-admin-key', 'make no key at the very first start')
      .option('--agents <n>', 'local agents', wholeNumber)
      .addHelpText(
        'after',
        '\nOther calls on the same data folder find it by themselves. Ctrl-C stops to take work, then ends.',
      )
      .action(act(run))
  },
}

async function run(context: CliContext, { adminKey, ...flags }: Options): Promise<number> {
  const { out, interrupts } = context
  const loaded = await load(context, flags)
  const { launchServer } = await import('../../app/launch-server.ts')
  const logger = createLineLogger(out.stderr, loaded.config.log.level)
  const server = await launchServer(loaded, { logger })
  const firstKey = adminKey ? await server.createFirstKey() : null
  tell(out, server, firstKey)
  const lost = await untilAborted(interrupts.signal, server.lost)
  if (lost) out.note('the data folder was taken over by another host: ending')
  await server.close({ graceMs: 10_000, lingerMs: 250 })
  const { begun, answered } = server.figures()
  out.document({ type: 'ended', begun, answered })
  return lost ? 75 : 0
}

function tell(out: CliContext['out'], server: RunningServer, firstKey: string | null): void {
  const { url, localUrl, healthUrl, folder } = server
  out.lines(
    `listening on ${url}`,
    ...(localUrl === url ? [] : [`on this machine also ${localUrl}`]),
    ...(healthUrl === null ? [] : [`health on    ${healthUrl}`]),
    `data folder  ${folder}`,
    `token file   ${folder}/token`,
    `reference    ${localUrl}/docs`,
  )
  if (firstKey !== null) {
    out.lines(
      `admin key    ${firstKey}`,
      '             shown this once, valid for a day; make others with: leanvibe keys create',
    )
  }
  const key = firstKey === null ? {} : { adminKey: firstKey }
  out.document({ type: 'listening', url, localUrl, healthUrl, folder, pid: process.pid, ...key })
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
