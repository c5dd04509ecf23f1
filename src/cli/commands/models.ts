import {
  createModelKey,
  listModelCalls,
  listModelKeysEndpoint,
  listModels,
  type ModelCallView,
  type ModelKeyView,
  revokeModelKeyEndpoint,
  setModelSettings,
  showModelCall,
  showModelSettings,
} from '../../external-api/models/models-contract.ts'
import { parseDuration } from '../../foundation/kernel/units.ts'
import type { CliCommand, CliContext } from '../command.ts'
import { withConnection } from '../connect.ts'
import { wholeNumber } from '../parse-options.ts'
import { oneLine, printable, table } from '../text.ts'
import { usdText } from '../usd-text.ts'

const many = (value: string, before: readonly string[] = []) => [...before, value]

export const models: CliCommand = {
  configure(command, act) {
    command
      .command('list', { isDefault: true })
      .description('list the models that can be called through the gateway, with accounts and prices')
      .action(act(list))
    command
      .command('calls')
      .description('list model calls that are over, newest first, with what they took and cost')
      .option('--run <id>', 'only of this run')
      .option('--limit <n>', 'how many', wholeNumber, 20)
      .action(act(calls))
    command
      .command('contents')
      .description('show what was said in a call, where the tenant has it kept')
      .argument('<call>')
      .action(act(contents))
    command
      .command('settings')
      .description('show or set whether the contents of calls are kept')
      .option('--keep-contents <days>', 'for so many days, or never', (text) =>
        text === 'never' ? 0 : wholeNumber(text),
      )
      .action(act(settings))
    const keys = command.command('keys').description('keys that call models and do nothing else')
    keys.command('list', { isDefault: true }).description('list model keys, newest first').action(act(listKeys))
    keys
      .command('create')
      .description('make a model key; it is shown this once')
      .argument('<name>', 'who or what it is for')
      .option('--model <name>', 'only this model; may be repeated', many)
      .option('--run <id>', 'on the account of this run')
      .option('--task <id>', 'on the account of this task; it ends with its lease')
      .option('--agent <id>', 'on the account of this agent')
      .option('--team <name>', 'on the account of this team')
      .option('--workflow <name>', 'on the account of this workflow')
      .option('--expires <time>', 'how long it is valid', '1h')
      .action(act(createKey))
    keys.command('revoke').description('end a model key at once').argument('<key>', 'its id').action(act(revokeKey))
  },
}

async function list(context: CliContext): Promise<void> {
  const { out } = context
  await withConnection(context, { work: false }, async ({ client }) => {
    const { items } = await client.call(listModels, {})
    for (const item of items) out.document(item)
    if (items.length === 0) out.note('no models: name accounts under `models` in leanvibe.yaml')
    out.lines(
      ...table(
        items.map(({ name, targets, price }) => [
          printable(name),
          targets.map(({ account, model }) => (model === name ? account : `${account}/${model}`)).join(', '),
          price === null ? 'no price' : `$${price.input} in, $${price.output} out a million tokens`,
        ]),
      ),
    )
  })
}

async function calls(context: CliContext, { run, limit }: { run?: string; limit: number }): Promise<void> {
  const { out } = context
  await withConnection(context, { work: false }, async ({ client }) => {
    const { items } = await client.call(listModelCalls, { query: { limit, ...(run === undefined ? {} : { run }) } })
    for (const item of items) out.document(item)
    if (items.length === 0) out.note('no model calls yet')
    out.lines(...table(items.map(callCells)))
  })
}

function callCells(call: ModelCallView): string[] {
  const { inputTokens, cacheReadTokens, cacheWriteTokens, outputTokens, outcome, counted } = call
  return [
    call.startedAt,
    call.id,
    `${printable(call.model)} at ${call.account}`,
    outcome,
    counted ? `${inputTokens + cacheReadTokens + cacheWriteTokens} in, ${outputTokens} out` : 'not counted',
    call.microUsd === null ? 'no price' : usdText(call.microUsd),
    call.taskId ?? call.runId ?? call.agentId ?? '',
  ]
}

async function contents(context: CliContext, id: string): Promise<void> {
  const { out } = context
  await withConnection(context, { work: false }, async ({ client }) => {
    const found = await client.call(showModelCall, { params: { id } })
    out.document(found)
    out.lines(printable(found.request), '', printable(found.answer), ...(found.cut ? ['(cut)'] : []))
  })
}

async function settings(context: CliContext, { keepContents }: { keepContents?: number }): Promise<void> {
  const { out } = context
  await withConnection(context, { work: false }, async ({ client }) => {
    const days = keepContents ?? null
    const body = days === null ? null : { keepContents: days > 0, keepDays: days > 0 ? days : 30 }
    const found =
      body === null ? await client.call(showModelSettings, {}) : await client.call(setModelSettings, { body })
    out.document(found)
    out.lines(found.keepContents ? `contents are kept for ${found.keepDays} days` : 'contents are not kept')
  })
}

async function listKeys(context: CliContext): Promise<void> {
  const { out } = context
  await withConnection(context, { work: false }, async ({ client }) => {
    const { items } = await client.call(listModelKeysEndpoint, {})
    for (const item of items) out.document(item)
    out.lines(...table(items.map(keyCells)))
  })
}

interface CreateKeyOptions {
  readonly model?: readonly string[]
  readonly run?: string
  readonly task?: string
  readonly agent?: string
  readonly team?: string
  readonly workflow?: string
  readonly expires: string
}

async function createKey(context: CliContext, name: string, options: CreateKeyOptions): Promise<void> {
  const { out } = context
  const { model, expires, ...scopes } = options
  const body = {
    ...{ name, ...scopes, seconds: Math.ceil(parseDuration(expires) / 1_000) },
    ...(model === undefined ? {} : { models: [...model] }),
  }
  await withConnection(context, { work: false }, async ({ client }) => {
    const made = await client.call(createModelKey, { body })
    out.document(made)
    out.lines(made.key)
    out.note(`valid until ${made.expiresAt}; it is shown this once`)
  })
}

async function revokeKey(context: CliContext, id: string): Promise<void> {
  const { out } = context
  await withConnection(context, { work: false }, async ({ client }) => {
    const key = await client.call(revokeModelKeyEndpoint, { params: { id } })
    out.document(key)
    out.lines(...table([keyCells(key)]))
  })
}

function keyCells(key: ModelKeyView): string[] {
  const { id, name, runId, taskId, agentId, team, workflow, expiresAt, revokedAt, models: only } = key
  return [
    id,
    oneLine(name, 40),
    taskId ?? runId ?? agentId ?? team ?? workflow ?? 'the tenant',
    only === null ? 'all models' : only.map(printable).join(', '),
    revokedAt === null ? `until ${expiresAt}` : `revoked ${revokedAt}`,
  ]
}
