import { basename, extname } from 'node:path'
import { cliErrors } from '../cli-errors.ts'
import type { CliContext } from '../command.ts'
import { writeSetting } from '../write-setting.ts'

/** What `leanvibe agents add http|llm|function` take besides. */
export interface OwnPoolOptions {
  readonly name?: string
  readonly agents?: number
  readonly env?: readonly string[]
  readonly capability?: readonly string[]
  readonly force?: boolean
  readonly url?: string
  readonly secret?: string
  readonly allow?: readonly string[]
  readonly callback?: boolean
  readonly wire?: 'openai' | 'anthropic'
  readonly memory?: string
}

export type OwnKind = 'http' | 'llm' | 'function'

export function isOwn(what: string): what is OwnKind {
  return what === 'http' || what === 'llm' || what === 'function'
}

const wanted: Readonly<Record<OwnKind, string>> = {
  http: 'http needs the URL that tasks are sent to',
  llm: 'llm needs a model that the gateway knows (`leanvibe models list`)',
  function: 'function needs a TypeScript module, from the root of the project',
}

/** Adds a pool of agents that are no program: a service, a model with tools, a module. @throws agent-unknown, pool-exists */
export async function addOwn(
  context: CliContext,
  what: OwnKind,
  argv: readonly string[],
  options: OwnPoolOptions,
): Promise<void> {
  const subject = argv[0] ?? (what === 'http' ? options.url : undefined)
  if (subject === undefined) throw cliErrors['agent-unknown'](wanted[what])
  const name = options.name ?? usualName(what, subject)
  const pool = {
    kind: what,
    [what]: settingsOf(what, subject, options),
    capabilities: options.capability ?? (what === 'llm' ? ['code'] : [name]),
    agents: options.agents ?? 1,
    ...(options.env === undefined ? {} : { env: [...options.env] }),
  }
  const place = { path: ['pools', name], called: `a pool ${name}`, force: options.force === true }
  const file = await writeSetting(context, place, pool)
  const { out } = context
  out.document({ type: 'agent-added', pool: name, file, ...pool })
  out.lines(`${out.colors.green('✔')} pool ${name} in ${file}: ${what} ${subject}`)
  if (options.secret !== undefined)
    out.lines(
      `${out.colors.yellow('!')} say what ${options.secret} is: secrets: { ${options.secret}: { env: VARIABLE } }`,
    )
  out.lines(
    `${out.colors.cyan('next')}  leanvibe spawn --pool ${name} --task "..."   a server that runs must be restarted`,
  )
}

function settingsOf(what: OwnKind, subject: string, options: OwnPoolOptions): object {
  const { secret, allow, callback, wire, memory } = options
  switch (what) {
    case 'http':
      return {
        url: subject,
        ...(secret === undefined ? {} : { auth: { bearer: secret } }),
        ...(allow === undefined ? {} : { allow: [...allow] }),
        ...(callback === true ? { callback: true } : {}),
      }
    case 'llm':
      return { model: subject, ...(wire === undefined ? {} : { wire }) }
    case 'function':
      return { module: subject, ...(memory === undefined ? {} : { memory }) }
  }
}

function usualName(what: OwnKind, subject: string): string {
  const named =
    what === 'http' && URL.canParse(subject) ? new URL(subject).hostname : basename(subject, extname(subject))
  const plain = (what === 'llm' ? 'llm' : named).toLowerCase().replaceAll(/[^a-z0-9_-]+/g, '-')
  return /^[a-z]/.test(plain) ? plain.slice(0, 60) : `${what}-${plain}`.slice(0, 60)
}
