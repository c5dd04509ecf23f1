import { Option } from 'commander'
import {
  type GatewayStatus,
  showGateway,
  startGateway,
  stopGateway,
} from '../../external-api/gateway/managed/gateway-contract.ts'
import { strategyNames } from '../../foundation/balancing/strategy-names-contract.ts'
import { startInBackground } from '../background-server.ts'
import type { CliCommand, CliContext } from '../command.ts'
import { isServed, withConnection } from '../connect.ts'
import type { GatewayAction, GatewayCliOptions } from '../gateway/gateway-options.ts'
import * as managed from '../gateway/route-actions.ts'
import { wholeNumber } from '../parse-options.ts'
import { table } from '../text.ts'

const actions: Readonly<Record<string, GatewayAction>> = { start, stop, status, ...managed.actions }

export const gateway: CliCommand = {
  configure(command, act) {
    command
      .addOption(new Option('--action <action>', 'what to do').choices(Object.keys(actions)).default('status'))
      .option('--port <n>', 'start: port of the server, where none runs (default: a free one)', wholeNumber)
      .option('--id <id>', 'id or name of a route')
      .option('--file <file>', 'add-route, set-route: a YAML file with the route')
      .option('--name <name>', 'add-route: its name')
      .option('--path <path>', 'what comes after /gateway, such as /agents/:id/*')
      .option('--method <method...>', 'only these')
      .option('--host <host...>', 'only for these, such as api.example.org or *.example.org')
      .option('--upstream <url...>', 'where requests go')
      .option('--canary <url...>', 'upstreams of a new version, which get a part of the requests')
      .option('--canary-weight <percent>', 'their part (default: 10)', wholeNumber)
      .addOption(new Option('--strategy <name>', 'how an upstream is chosen').choices(strategyNames))
      .option('--rewrite <path>', 'what upstreams are asked for instead, such as /v2/:id/*, or none')
      .option('--affinity <how>', 'cookie, the name of a header, or none')
      .option('--health <path>', 'asked of each upstream every 10 s, or none')
      .option('--rate <rate>', 'requests of each key, such as 100/1m, or none')
      .option('--permission <permission>', 'what a caller needs (default: services:write)')
      .option('--tenant <id>', 'of this tenant')
      .addHelpText(
        'after',
        `
routes  routes (--id ROUTE: in full), add-route, set-route, enable-route, disable-route, remove-route
look    status, stats (--id ROUTE), keys
switch  start, stop`,
      )
      .action(act((context, options: GatewayCliOptions) => actions[options.action]!(context, options)))
  },
}

/** A gateway needs a process that listens: one is started in the background where none runs. */
async function start(context: CliContext, { port, tenant }: GatewayCliOptions): Promise<number> {
  await startInBackground(context, port === undefined ? {} : { port })
  return withConnection(context, { work: false, tenant }, async ({ client }) => {
    tell(context, await client.call(startGateway), client.url)
    return 0
  })
}

async function stop(context: CliContext, { tenant }: GatewayCliOptions): Promise<number> {
  return withConnection(context, { work: false, tenant }, async ({ client, embedded }) => {
    tell(context, await client.call(stopGateway), embedded ? null : client.url)
    return 0
  })
}

async function status(context: CliContext, { tenant }: GatewayCliOptions): Promise<number> {
  const running = await isServed(context)
  return withConnection(context, { work: false, tenant }, async ({ client }) => {
    tell(context, await client.call(showGateway), running ? client.url : null)
    return 0
  })
}

function tell({ out }: CliContext, figures: GatewayStatus, url: string | null): void {
  out.document({ type: 'gateway', url, ...figures, serverRunning: url !== null })
  out.lines(
    ...table([
      ['Status', figures.status],
      ['Server Running', url === null ? 'no (leanvibe gateway --action start)' : `yes, ${url}${figures.prefix}`],
      ['Registered Routes', `${figures.routes}, ${figures.enabledRoutes} on`],
      ['Upstreams', `${figures.upstreams}, ${figures.upstreamsDown} down`],
      ['Total Requests', `${figures.totalRequests}, ${figures.active} under way`],
    ]),
  )
}
