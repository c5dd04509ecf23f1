import { Option } from 'commander'
import { presetSchema, receiptStateSchema } from '../../external-api/webhooks/sources-contract.ts'
import {
  deliveryStateSchema,
  formatSchema,
  orderingSchema,
  showWebhooks,
  startWebhooks,
  stopWebhooks,
  type WebhookStatus,
} from '../../external-api/webhooks/subscriptions-contract.ts'
import { startInBackground } from '../background-server.ts'
import type { CliCommand, CliContext } from '../command.ts'
import { isServed, withConnection } from '../connect.ts'
import { wholeNumber } from '../parse-options.ts'
import { table } from '../text.ts'
import * as inbound from '../webhook/inbound-actions.ts'
import * as outbound from '../webhook/outbound-actions.ts'
import type { WebhookAction, WebhookOptions } from '../webhook/webhook-options.ts'

const actions: Readonly<Record<string, WebhookAction>> = {
  start,
  stop,
  status,
  ...inbound.actions,
  ...outbound.actions,
}

export const webhook: CliCommand = {
  configure(command, act) {
    command
      .addOption(new Option('--action <action>', 'what to do').choices(Object.keys(actions)).default('status'))
      .option('--port <n>', 'start: port of the server, where none runs (default: a free one)', wholeNumber)
      .option('--id <id>', 'id or name of a source, a subscription or a delivery')
      .option('--name <name>', 'add-source, subscribe: its name')
      .addOption(new Option('--preset <preset>', 'add-source: how the sender signs').choices(presetSchema.options))
      .option('--secret <name...>', 'add-source: names of secrets in leanvibe.yaml (default: one is made)')
      .option('--rules <file>', 'add-source, set-rules: a YAML file with the routing rules')
      .option('--hmac <name=value...>', 'add-source: of the preset hmac, for example header=x-sig prefix=sha256=')
      .option('--rate <n>', 'add-source: requests from one address in 60 s', wholeNumber)
      .option('--url <url>', 'subscribe: where to send')
      .option('--types <types>', 'subscribe: events, for example run.*,task.failed (default: all)')
      .option('--filter <cel>', 'subscribe: a condition over `event`')
      .addOption(new Option('--ordering <how>', 'subscribe').choices(orderingSchema.options))
      .addOption(new Option('--format <format>', 'subscribe').choices(formatSchema.options))
      .option('--asymmetric', 'subscribe: sign with Ed25519 as well')
      .option('--overlap <seconds>', 'rotate: how long the old secret counts as well', wholeNumber, 86_400)
      .addOption(
        new Option('--state <state>', 'deliveries, received, replay: only those in this state').choices([
          ...new Set([...deliveryStateSchema.options, ...receiptStateSchema.options]),
        ]),
      )
      .option('--from <time>', 'replay: from this time, for example 2026-01-31T12:00:00Z')
      .option('--until <time>', 'replay: up to this time (default: now)')
      .option('--limit <n>', 'deliveries, received: how many', wholeNumber, 20)
      .addHelpText(
        'after',
        `
in      add-source, set-rules, enable-source, disable-source, sources, received, route (--id RECEIPT), remove-source
out     subscribe, subscriptions, deliveries, redeliver (--id DELIVERY), test, replay, pause, resume, unsubscribe
both    secret, rotate (--id SOURCE or SUBSCRIPTION), start, stop, status`,
      )
      .action(act((context, options: WebhookOptions) => actions[options.action]!(context, options)))
  },
}

/** Webhooks need a process that listens: one is started in the background where none runs. */
async function start(context: CliContext, options: WebhookOptions): Promise<number> {
  await startInBackground(context, options.port === undefined ? {} : { port: options.port })
  return withConnection(context, { work: false }, async ({ client }) => {
    tell(context, await client.call(startWebhooks), client.url)
    return 0
  })
}

async function stop(context: CliContext): Promise<number> {
  return withConnection(context, { work: false }, async ({ client, embedded }) => {
    tell(context, await client.call(stopWebhooks), embedded ? null : client.url)
    return 0
  })
}

async function status(context: CliContext): Promise<number> {
  const running = await isServed(context)
  return withConnection(context, { work: false }, async ({ client }) => {
    tell(context, await client.call(showWebhooks), running ? client.url : null)
    return 0
  })
}

function tell({ out }: CliContext, figures: WebhookStatus, url: string | null): void {
  const state = { ...figures, serverRunning: url !== null }
  out.document({ type: 'webhooks', url, ...state })
  const { active, paused, disabled } = figures.subscriptions
  out.lines(
    ...table([
      ['Status', figures.status],
      ['Server Running', url === null ? 'no (leanvibe webhook --action start)' : `yes, ${url}`],
      ['Registered Handlers', `${figures.sources} sources`],
      ['Subscriptions', `${active ?? 0} active, ${paused ?? 0} paused, ${disabled ?? 0} disabled`],
      ['Active Deliveries', `${figures.activeDeliveries} out, ${figures.openReceipts} in`],
      ['Failed', `${figures.deadDeliveries} dead letters out, ${figures.failedReceipts} in`],
    ]),
  )
}
