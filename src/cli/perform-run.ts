import { resolve } from 'node:path'
import type { ConfigFlags } from '../foundation/platform/config/config.ts'
import { startInBackground } from './background-server.ts'
import type { CliContext } from './command.ts'
import { type Connection, withConnection } from './connect.ts'
import { followRun } from './follow-run.ts'
import { prepareOutFolder } from './write-files.ts'

export interface PerformOptions {
  readonly flags?: ConfigFlags
  /** Only start it: a server, if need be one in the background, does the work. */
  readonly detach?: boolean | undefined
  /** Folder for the results, relative to the working folder. */
  readonly out?: string | undefined
}

/** Starts a run by `start`, which answers its id, and stays until it has ended, or prints the id and leaves. Returns the exit code. */
export async function performRun(
  context: CliContext,
  options: PerformOptions,
  start: (connection: Connection) => Promise<string>,
): Promise<number> {
  const { out, cwd } = context
  const outFolder = options.out === undefined ? undefined : resolve(cwd, options.out)
  if (outFolder !== undefined && !options.detach) await prepareOutFolder(outFolder)
  if (options.detach) await startInBackground(context)
  return withConnection(context, { flags: options.flags ?? {} }, async (connection) => {
    const id = await start(connection)
    if (options.detach) {
      out.lines(id)
      out.document({ type: 'started', run: id })
      return 0
    }
    return followRun(context, connection, { id, outFolder, owns: true })
  })
}
