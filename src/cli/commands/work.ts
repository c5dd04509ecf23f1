import type { Worker } from '../../app/work.ts'
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
  readonly slots?: number
}

const gather = (value: string, before: readonly string[]) => [...before, value]

export const work: CliCommand = {
  configure(command, act) {
    command
      .option(
        '--join <url>',
        'DATABASE_URL of the servers to work for (default: that of the environment)',
        gather,
        [] as readonly string[],
      )
      .option('--slots <n>', 'tasks of each pool at a time (default: as leanvibe.yaml says)', wholeNumber)
      .addHelpText(
        'after',
        '\nThe URL opens the whole database: for machines you trust. In the environment it is not seen by others on the machine.' +
          '\nCtrl-C finishes what is under way, reports it and ends; a second Ctrl-C ends at once, and others do the work.',
      )
      .action(act(run))
  },
}

async function run(context: CliContext, { join, slots }: Options): Promise<number> {
  const { out, env, interrupts } = context
  const databaseUrl = joinedUrl(join, env.databaseUrl)
  const loaded = await load({ ...context, env: { ...env, databaseUrl } })
  const { startWorker } = await import('../../app/work.ts')
  const logger = createLineLogger(out.stderr, loaded.config.log.level)
  const onError = (error: unknown) => logger.error({ error }, 'failure in the background')
  const worker = await startWorker(loaded, { slots: slots ?? null, onError })
  try {
    tell(out, worker, databaseUrl)
    await aborted(AbortSignal.any([interrupts.signal, worker.lost]))
    if (!worker.lost.aborted) await drain(out, worker)
  } finally {
    await worker.close()
  }
  const { aborted: lost } = worker.lost
  if (lost) out.note('the data folder was taken over by another host: ended')
  else out.lines('ended: all work is reported')
  out.document({ type: 'ended', runner: worker.id, drained: !lost })
  return lost ? 75 : 0
}

/** The address to join, or a refusal that repeats nothing of it that could be secret. */
export function joinedUrl(join: readonly string[], fromEnvironment: string | null): string {
  const urls = join.length > 0 ? join : fromEnvironment === null ? [] : [fromEnvironment]
  const [url] = urls
  if (url === undefined) throw cliErrors['join-needs-postgres']('there is no --join and no DATABASE_URL')
  if (urls.some((each) => /^(https?|wss?):/i.test(each))) {
    throw cliErrors['join-by-url']('joining by URL is not built yet; use a database URL')
  }
  if (urls.some((each) => !/^postgres(ql)?:\/\//.test(each))) {
    throw cliErrors['join-needs-postgres'](
      'that is no PostgreSQL: expected postgres://USER:PASSWORD@HOST/DATABASE; the folder of an embedded database cannot be joined',
    )
  }
  if (urls.length > 1) throw usageError('one database can be joined by one runner: start another for another database')
  return url
}

function tell(out: CliContext['out'], { id, folder, pools }: Worker, databaseUrl: string): void {
  const database = placeOf(databaseUrl)
  out.lines(
    `joined       ${database}`,
    `runner       ${id}`,
    `agents       ${pools.map(describePool).join(', ')}`,
    `data folder  ${folder}`,
  )
  const shown = pools.map(({ name, agents, slots }) => ({ name, agents, slots }))
  out.document({ type: 'joined', runner: id, database, folder, pid: process.pid, pools: shown })
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
