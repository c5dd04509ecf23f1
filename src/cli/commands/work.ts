import { hostname } from 'node:os'
import type { Worker } from '../../app/work.ts'
import { messageOf } from '../../foundation/kernel/errors.ts'
import type { PoolConfig } from '../../foundation/platform/config/pools.ts'
import { cliErrors } from '../cli-errors.ts'
import type { CliCommand, CliContext } from '../command.ts'
import { load } from '../connect.ts'
import { usageError } from '../failure.ts'
import { createLineLogger } from '../line-logger.ts'
import { wholeNumber } from '../parse-options.ts'
import { plural } from '../text.ts'

interface Options {
  readonly join: readonly string[]
  readonly key?: string
  readonly slots?: number
}

const gather = (value: string, before: readonly string[]) => [...before, value]

export const work: CliCommand = {
  configure(command, act) {
    command
      .option(
        '--join <url>',
        'a server, https://HOST, or several; or the DATABASE_URL of the servers (default: LEANVIBE_URL, DATABASE_URL)',
        gather,
        [] as readonly string[],
      )
      .option('--key <key>', 'for servers that are joined by their addresses (default: LEANVIBE_KEY)')
      .option('--slots <n>', 'tasks of each pool at a time (default: as leanvibe.yaml says)', wholeNumber)
      .addHelpText(
        'after',
        '\nWho joins a server by its address sees the work it is given and nothing else: repositories come over, commits go back.' +
          '\nA DATABASE_URL opens the whole database: for machines you trust. In the environment neither is seen by others.' +
          '\nCtrl-C finishes what is under way, reports it and ends; a second Ctrl-C ends at once, and others do the work.',
      )
      .action(act(run))
  },
}

async function run(context: CliContext, { join, key, slots }: Options): Promise<number> {
  const { out, env, interrupts } = context
  const place = joinedPlace(join, { url: env.settings.url ?? null, databaseUrl: env.databaseUrl })
  const databaseUrl = place.kind === 'database' ? place.url : null
  const loaded = await load({ ...context, env: { ...env, databaseUrl } })
  const logger = createLineLogger(out.stderr, loaded.config.log.level)
  const onError = (error: unknown) => logger.error({ error }, 'failure in the background')
  await using opened = new AsyncDisposableStack()
  let worker: Worker
  if (place.kind === 'database') {
    const { startWorker } = await import('../../app/work.ts')
    worker = await startWorker(loaded, { slots: slots ?? null, onError })
  } else {
    const given = key ?? env.settings.key
    if (given === undefined) throw cliErrors['join-needs-key'](`${place.urls.join(', ')} ask for a key`)
    const { createJoinedServers } = await import('../join/joined-servers.ts')
    const { startJoinedWorker } = await import('../../app/join/joined-worker.ts')
    const server = opened.use(createJoinedServers({ urls: place.urls, key: given, onError }))
    await server.start(hostname())
    worker = await startJoinedWorker(loaded, { server, slots: slots ?? null, onError })
  }
  try {
    tell(out, worker, place)
    await aborted(AbortSignal.any([interrupts.signal, worker.lost]))
    if (!worker.lost.aborted) await drain(out, worker)
  } finally {
    await worker.close()
  }
  const { aborted: lost } = worker.lost
  if (lost) out.note(`${messageOf(worker.lost.reason)}: ended`)
  else out.lines('ended: all work is reported')
  out.document({ type: 'ended', runner: worker.id, drained: !lost })
  return lost ? 75 : 0
}

export type JoinedPlace =
  | { readonly kind: 'database'; readonly url: string }
  | { readonly kind: 'servers'; readonly urls: readonly string[] }

/** What to join, or a refusal that repeats nothing of it that could be secret. */
export function joinedPlace(
  join: readonly string[],
  environment: { readonly url: string | null; readonly databaseUrl: string | null },
): JoinedPlace {
  const { url, databaseUrl } = environment
  const urls = join.length > 0 ? join : [url ?? databaseUrl].filter((each) => each !== null)
  const [first] = urls
  if (first === undefined)
    throw cliErrors['join-needs-postgres']('there is no --join, no LEANVIBE_URL and no DATABASE_URL')
  if (urls.every((each) => /^https?:\/\//i.test(each))) return { kind: 'servers', urls: urls.map(originOf) }
  if (urls.some((each) => !/^postgres(ql)?:\/\//.test(each))) {
    throw cliErrors['join-needs-postgres'](
      'that is neither a server nor PostgreSQL: expected https://HOST, or postgres://USER:PASSWORD@HOST/DATABASE; the folder of an embedded database cannot be joined',
    )
  }
  if (urls.length > 1) throw usageError('one database can be joined by one runner: start another for another database')
  return { kind: 'database', url: first }
}

function originOf(text: string): string {
  const url = URL.parse(text)
  if (url === null || url.username !== '' || url.password !== '') {
    throw usageError('the address of a server is https://HOST or https://HOST:PORT; its key is given with --key')
  }
  return url.origin
}

function tell(out: CliContext['out'], { id, folder, pools }: Worker, place: JoinedPlace): void {
  const joined = place.kind === 'database' ? { database: placeOf(place.url) } : { servers: place.urls }
  out.lines(
    `joined       ${place.kind === 'database' ? placeOf(place.url) : place.urls.join(', ')}`,
    `runner       ${id}`,
    `agents       ${pools.map(describePool).join(', ')}`,
    `data folder  ${folder}`,
  )
  const shown = pools.map(({ name, agents, slots }) => ({ name, agents, slots }))
  out.document({ type: 'joined', runner: id, ...joined, folder, pid: process.pid, pools: shown })
}

async function drain(out: CliContext['out'], worker: Worker): Promise<void> {
  out.document({ type: 'draining', runner: worker.id })
  await worker.drain(worker.lost, (tasks) => {
    out.lines(`draining     ${plural(tasks, 'task')} to finish; again to end at once`)
    out.document({ type: 'left', runner: worker.id, tasks })
  })
}

function describePool({ name, agents, slots }: PoolConfig): string {
  return `${name} ${agents}${slots === 1 ? '' : ` x ${slots} slots`}`
}

/** Host and database of an address, without user and password. */
function placeOf(databaseUrl: string): string {
  if (!URL.canParse(databaseUrl)) return 'PostgreSQL'
  const { host, pathname } = new URL(databaseUrl)
  return `${host}${pathname}`
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true })
    if (signal.aborted) resolve()
  })
}
