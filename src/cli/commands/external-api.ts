import { Option } from 'commander'
import type { Client } from '../../client/client.ts'
import { AppError } from '../../foundation/kernel/errors.ts'
import { readServerInfo } from '../../foundation/platform/data-folder/server-info.ts'
import { startInBackground } from '../background-server.ts'
import type { CliCommand, CliContext } from '../command.ts'
import { connect, isServed, load } from '../connect.ts'
import { externalParts } from '../external-parts.ts'
import { table } from '../text.ts'

type ApiCommand = 'status' | 'start-all' | 'stop-all'

export const externalApi: CliCommand = {
  configure(command, act) {
    command
      .addOption(
        new Option('--api-command <command>', 'what to do')
          .choices(['status', 'start-all', 'stop-all'])
          .default('status'),
      )
      .addHelpText(
        'after',
        '\nstart-all starts a server in the background where none runs. stop-all leaves the server to its runs.',
      )
      .action(act((context, { apiCommand }: { apiCommand: ApiCommand }) => run(context, apiCommand)))
  },
}

async function run(context: CliContext, command: ApiCommand): Promise<number> {
  const folder = (await load(context)).config.dataFolder
  if (command === 'start-all') await startInBackground(context)
  if (!(await isServed(context))) {
    context.out.document({ type: 'external-api', server: null, parts: [] })
    context.out.lines('no server runs on this data folder', '', 'next  leanvibe external-api --api-command start-all')
    return 0
  }
  const { client, close } = await connect(context, { work: false })
  try {
    const parts = []
    for (const part of externalParts) parts.push(await act(client, part, command))
    tell(context, (await readServerInfo(folder))?.url ?? client.url, parts)
    return 0
  } finally {
    await close()
  }
}

interface PartState {
  readonly name: string
  readonly figures: Readonly<Record<string, unknown>>
}

async function act(client: Client, part: (typeof externalParts)[number], command: ApiCommand): Promise<PartState> {
  try {
    const figures: Record<string, unknown> = { ...(await callPart(client, part, command)) }
    return { name: part.name, figures }
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'route-not-found') throw error
    return { name: part.name, figures: { state: 'not part of this server' } }
  }
}

/** Each part by itself, because their answers differ in shape. */
function callPart(client: Client, part: (typeof externalParts)[number], command: ApiCommand): Promise<object> {
  const which = { status: 'status', 'start-all': 'start', 'stop-all': 'stop' } as const
  switch (part.name) {
    case 'webhook':
      return client.call(part[which[command]])
    case 'gateway':
      return client.call(part[which[command]])
    case 'streaming':
      return client.call(part[which[command]])
  }
}

function tell({ out }: CliContext, url: string, parts: readonly PartState[]): void {
  out.document({ type: 'external-api', server: url, parts })
  const rows = parts.map(({ name, figures }) => [
    name,
    Object.entries(figures)
      .filter(([, value]) => ['string', 'number', 'boolean'].includes(typeof value))
      .map(([key, value]) => `${key} ${value}`)
      .join(', '),
  ])
  out.lines(...table([['api', `serving ${url}`], ...rows]))
}
