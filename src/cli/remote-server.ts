import { isAbsolute, resolve } from 'node:path'
import { cliErrors } from './cli-errors.ts'
import type { CliContext } from './command.ts'
import { usageError } from './failure.ts'

export interface RemoteServer {
  /** Origin. */
  readonly url: string
  readonly key: string
}

/**
 * The server that a call is for, where it is named by its address; null: that of the data folder. What the command line
 * says goes before LEANVIBE_URL and LEANVIBE_KEY. Errors: `server-needs-key`, `usage`.
 */
export function remoteServerOf({ globals, env }: Pick<CliContext, 'globals' | 'env'>): RemoteServer | null {
  const text = globals.url ?? env.settings.url
  if (text === undefined) {
    if (globals.key !== undefined) throw usageError('--key is for a server: say which with --url, or LEANVIBE_URL')
    return null
  }
  const url = URL.parse(text)
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') {
    throw usageError('the address of a server is https://HOST or https://HOST:PORT; its key is given with --key')
  }
  const key = globals.key ?? env.settings.key
  if (key === undefined) throw cliErrors['server-needs-key'](`${url.origin} asks for a key`)
  return { url: url.origin, key }
}

/** A repository as the server finds it: on its own machine, which for a server elsewhere is not this one. */
export function repositoryPath(context: CliContext, path: string): string {
  if (remoteServerOf(context) !== null && !isAbsolute(path)) {
    throw usageError('--repo names a folder on the machine of the server: give its whole path there')
  }
  return resolve(context.cwd, path)
}

/** Commands about this machine, for which a server elsewhere means nothing. */
const ofThisMachine: ReadonlyMap<string, string> = new Map([
  ['serve', 'it is a server'],
  ['work', 'a server to work for is named with --join'],
  ['migrate-to', 'it moves the database of this data folder'],
  ['init', 'it writes files here'],
  ['doctor', 'it looks at this machine'],
  ['personas init', 'it writes files here'],
  ['completion', 'it is about this shell'],
])

/** Refuses `--url` and `--key` where they would be passed over. The environment alone is no mistake. */
export function refuseRemote(command: string, { url, key }: { readonly url?: string; readonly key?: string }): void {
  const why = ofThisMachine.get(command)
  if (why === undefined || (url === undefined && key === undefined)) return
  throw usageError(`${command} takes no ${url === undefined ? '--key' : '--url'}: ${why}`)
}
