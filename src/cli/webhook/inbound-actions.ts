import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { parse } from 'yaml'
import {
  changeSource,
  createSource,
  listReceipts,
  listSources,
  type ReceiptState,
  type Rule,
  removeSource,
  rotateSource,
  routeReceipt,
  type SourceView,
  showSource,
  showSourceSecret,
} from '../../external-api/webhooks/sources-contract.ts'
import { rotateSubscription, showSubscriptionSecret } from '../../external-api/webhooks/subscriptions-contract.ts'
import { isAppError, messageOf } from '../../foundation/kernel/errors.ts'
import { cliErrors } from '../cli-errors.ts'
import type { CliContext } from '../command.ts'
import { withConnection } from '../connect.ts'
import { oneLine, table } from '../text.ts'
import { need, type WebhookAction, type WebhookOptions } from './webhook-options.ts'

export const actions: Readonly<Record<string, WebhookAction>> = {
  'add-source': addSource,
  'set-rules': setRules,
  'enable-source': (context, options) => setEnabled(context, options, true),
  'disable-source': (context, options) => setEnabled(context, options, false),
  sources,
  received,
  route,
  'remove-source': remove,
  secret,
  rotate,
}

async function addSource(context: CliContext, options: WebhookOptions): Promise<number> {
  const { out } = context
  const name = need(options, 'name', options.name)
  const body = {
    name,
    preset: need(options, 'preset', options.preset),
    secrets: [...(options.secret ?? [])],
    rules: options.rules === undefined ? [] : await readRules(context, options.rules),
    ...(options.hmac === undefined ? {} : { hmac: hmacOf(options.hmac) }),
    ...(options.rate === undefined ? {} : { rate: { limit: options.rate, seconds: 60 } }),
  }
  return withConnection(context, { work: false }, async ({ client }) => {
    const source = await client.call(createSource, { body })
    const { secret } = await client.call(showSourceSecret, { params: { id: source.id } })
    out.document({ ...source, secret })
    out.lines(
      ...table([
        ['Address', `${client.url}${source.path}`],
        ['Secret', secret ?? `the one called ${source.secrets.join(', ')}`],
      ]),
    )
    if (secret !== null) out.note('next  enter both at the sender; the secret can be shown again with --action secret')
    return 0
  })
}

/** `header=x-sig`: what the names mean is checked by the server. */
function hmacOf(words: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    words.map((word) => {
      const cut = word.indexOf('=')
      if (cut < 1) throw cliErrors.usage(`--hmac: expected name=value, such as header=x-sig, not ${word}`)
      return [word.slice(0, cut), word.slice(cut + 1)]
    }),
  )
}

async function setRules(context: CliContext, options: WebhookOptions): Promise<number> {
  const rules = await readRules(context, need(options, 'rules', options.rules))
  return change(context, options, { rules }, (source) => `${source.name} has ${source.rules.length} rules`)
}

async function setEnabled(context: CliContext, options: WebhookOptions, enabled: boolean): Promise<number> {
  return change(context, options, { enabled }, ({ name }) => `${name} is ${enabled ? 'on' : 'off'}`)
}

async function change(
  context: CliContext,
  options: WebhookOptions,
  wish: Partial<Pick<SourceView, 'rules' | 'enabled'>>,
  tell: (source: SourceView) => string,
): Promise<number> {
  const params = { id: need(options, 'id', options.id) }
  return withConnection(context, { work: false }, async ({ client }) => {
    const { name, preset, secrets, toleranceSeconds, hmac, rate, enabled, rules } = await client.call(showSource, {
      params,
    })
    const body = { name, preset, secrets, toleranceSeconds, hmac, rate, enabled, rules, ...wish }
    const changed = await client.call(changeSource, { params, body })
    context.out.document(changed)
    context.out.lines(tell(changed))
    return 0
  })
}

/** The rules in a file, either a list or under `rules:`. What they mean is checked by the server. */
async function readRules({ cwd }: CliContext, path: string): Promise<Rule[]> {
  const file = resolve(cwd, path)
  const text = await readFile(file, 'utf8').catch((cause) => {
    throw cliErrors.usage(`--rules: ${file} cannot be read`, { cause })
  })
  try {
    const value: unknown = parse(text)
    const rules = Array.isArray(value) ? value : (value as { rules?: unknown } | null)?.rules
    if (Array.isArray(rules)) return rules as Rule[]
  } catch (cause) {
    throw cliErrors.usage(`--rules: ${file}: ${messageOf(cause)}`, { cause })
  }
  throw cliErrors.usage(`--rules: ${file} holds no list of rules`)
}

async function sources(context: CliContext): Promise<number> {
  const { out } = context
  return withConnection(context, { work: false }, async ({ client }) => {
    const { items } = await client.call(listSources)
    for (const item of items) out.document(item)
    if (items.length === 0) out.lines('no source of webhooks yet; add one: leanvibe webhook --action add-source')
    else
      out.lines(
        ...table(
          items.map(({ name, preset, path, rules, enabled }) => [
            name,
            preset,
            `${rules.length} rules`,
            enabled ? 'on' : 'off',
            `${client.url}${path}`,
          ]),
        ),
      )
    return 0
  })
}

async function received(context: CliContext, options: WebhookOptions): Promise<number> {
  const { out } = context
  return withConnection(context, { work: false }, async ({ client }) => {
    const { items } = await client.call(listReceipts, {
      query: { limit: options.limit, source: options.id, state: options.state as ReceiptState | undefined },
    })
    for (const item of items) out.document(item)
    if (items.length === 0) out.lines('nothing was received')
    else
      out.lines(
        ...table(
          items.map((item) => [
            item.id,
            item.source ?? item.sourceId,
            item.state,
            item.receivedAt.slice(0, 19).replace('T', ' '),
            item.error === null
              ? item.outcomes.map(({ action, runId, type }) => `${action} ${runId ?? type ?? ''}`).join(', ')
              : oneLine(`${item.error.code}: ${item.error.message}`, 100),
          ]),
        ),
      )
    return 0
  })
}

async function route(context: CliContext, options: WebhookOptions): Promise<number> {
  return withConnection(context, { work: true }, async ({ client }) => {
    const receipt = await client.call(routeReceipt, { params: { id: need(options, 'id', options.id) } })
    context.out.document(receipt)
    context.out.lines(`${receipt.id} is routed again`)
    return 0
  })
}

async function remove(context: CliContext, options: WebhookOptions): Promise<number> {
  const id = need(options, 'id', options.id)
  return withConnection(context, { work: false }, async ({ client }) => {
    await client.call(removeSource, { params: { id } })
    context.out.document({ removed: id })
    context.out.lines(`${id} is removed`)
    return 0
  })
}

async function secret(context: CliContext, options: WebhookOptions): Promise<number> {
  const params = { id: need(options, 'id', options.id) }
  return withConnection(context, { work: false }, async ({ client }) => {
    const shown = await orSubscription(
      () => client.call(showSourceSecret, { params }),
      () => client.call(showSubscriptionSecret, { params }),
    )
    tellSecret(context, shown)
    return 0
  })
}

async function rotate(context: CliContext, options: WebhookOptions): Promise<number> {
  const params = { id: need(options, 'id', options.id) }
  const body = { overlapSeconds: options.overlap }
  return withConnection(context, { work: false }, async ({ client }) => {
    const shown = await orSubscription(
      () => client.call(rotateSource, { params, body }),
      () => client.call(rotateSubscription, { params, body }),
    )
    tellSecret(context, shown)
    context.out.note(`the old secret counts for ${options.overlap} s more`)
    return 0
  })
}

interface ShownSecret {
  readonly id: string
  readonly secret: string | null
  readonly publicKey?: string
}

/** An id says what it belongs to; a name may be that of either. */
async function orSubscription(
  source: () => Promise<ShownSecret>,
  subscription: () => Promise<ShownSecret>,
): Promise<ShownSecret> {
  try {
    return await source()
  } catch (error) {
    if (!isAppError(error, 'webhook-source-not-found')) throw error
    return subscription()
  }
}

function tellSecret({ out }: CliContext, { id, secret, publicKey }: ShownSecret): void {
  out.document({ id, secret, publicKey })
  out.lines(
    ...table([
      ['Secret', secret ?? 'of its own, under secrets in leanvibe.yaml'],
      ...(publicKey === undefined ? [] : [['Public Key', publicKey]]),
    ]),
  )
}
