import {
  listProviderSubscriptions,
  type ProviderSubscriptionView,
  removeProviderSubscription,
  setProviderSubscription,
} from '../../orchestration/quotas/provider-subscriptions-contract.ts'
import { listQuotas, type QuotaView, setQuota } from '../../orchestration/quotas/quotas-contract.ts'
import { cliErrors } from '../cli-errors.ts'
import type { CliCommand, CliContext } from '../command.ts'
import { withConnection } from '../connect.ts'
import { table } from '../text.ts'

interface SetOptions {
  readonly provider?: string
  readonly requests?: string
  readonly tokens?: string
  readonly concurrent?: string
}

export const quotas: CliCommand = {
  configure(command, act) {
    command
      .command('list', { isDefault: true })
      .description('list provider accounts, their limits, and what the fleet keeps to now')
      .action(act(list))
    command
      .command('set')
      .description('add a provider account or change its limits; what is left out is found out')
      .argument('<account>')
      .option('--provider <name>', 'for example anthropic or openai', 'other')
      .option('--requests <n>', 'requests a minute')
      .option('--tokens <n>', 'tokens a minute')
      .option('--concurrent <n>', 'calls under way at a time, over the whole fleet')
      .action(act(set))
    command
      .command('subscriptions')
      .description('list subscriptions with providers, and how much of their windows is used up')
      .action(act(listAll))
    command
      .command('subscribe')
      .description(
        'add a subscription that pools work on, or change it: quotas subscribe max --pool claude --window 5h --tokens 2000000',
      )
      .argument('<name>')
      .option('--pool <name...>', 'pools whose agents work on it', [])
      .option('--window <time>', 'length of a window; it begins with the first use', '5h')
      .option('--tokens <n>', 'tokens that a window holds')
      .option('--requests <n>', 'requests that a window holds; an attempt is one where it does not say')
      .action(act(subscribe))
    command
      .command('unsubscribe')
      .description('remove a subscription; what was spent of it stays on record')
      .argument('<name>')
      .action(act(unsubscribe))
  },
}

interface SubscribeOptions {
  readonly pool: string[]
  readonly window: string
  readonly tokens?: string
  readonly requests?: string
}

async function listAll(context: CliContext): Promise<void> {
  const { out } = context
  await withConnection(context, { work: false }, async ({ client }) => {
    const { items } = await client.call(listProviderSubscriptions)
    for (const item of items) out.document(item)
    if (items.length === 0)
      out.note('there are none; add one with `leanvibe quotas subscribe NAME --pool POOL --window 5h --tokens N`')
    else out.lines(...table(items.map(subscriptionCells)))
  })
}

async function subscribe(context: CliContext, name: string, options: SubscribeOptions): Promise<void> {
  const body = {
    ...{ pools: options.pool, window: options.window },
    tokens: numberOf('--tokens', options.tokens),
    requests: numberOf('--requests', options.requests),
  }
  await withConnection(context, { work: false }, async ({ client }) => {
    const subscription = await client.call(setProviderSubscription, { params: { name }, body })
    context.out.document(subscription)
    context.out.lines(...table([subscriptionCells(subscription)]))
  })
}

async function unsubscribe(context: CliContext, name: string): Promise<void> {
  await withConnection(context, { work: false }, async ({ client }) => {
    const { removed } = await client.call(removeProviderSubscription, { params: { name } })
    context.out.document({ name, removed })
    context.out.note(removed ? `${name} is removed` : `there is no subscription ${name}`)
  })
}

function subscriptionCells(subscription: ProviderSubscriptionView): string[] {
  const { name, pools, window, tokens, requests, usedTokens, usedRequests, usedShare, toldShare, windowEnd } =
    subscription
  const share = (value: number) => `${(value * 100).toFixed(2)} %`
  return [
    name,
    pools.length === 0 ? 'no pool' : `pools ${pools.join(', ')}`,
    `${share(usedShare)} of ${window} used`,
    `${usedTokens}${tokens === null ? '' : ` of ${tokens}`} tokens`,
    `${usedRequests}${requests === null ? '' : ` of ${requests}`} requests`,
    toldShare === null ? '' : `told ${share(toldShare)}`,
    usedShare === 0 || windowEnd === null ? '' : `until ${windowEnd}`,
  ]
}

async function list(context: CliContext): Promise<void> {
  const { out } = context
  await withConnection(context, { work: false }, async ({ client }) => {
    const { items } = await client.call(listQuotas)
    for (const item of items) out.document(item)
    if (items.length === 0)
      out.note('there are no accounts; add one with `leanvibe quotas set NAME --provider anthropic`')
    else out.lines(...table(items.map(cells)))
  })
}

async function set(context: CliContext, account: string, options: SetOptions): Promise<void> {
  const body = {
    provider: options.provider ?? 'other',
    requestsPerMinute: numberOf('--requests', options.requests),
    tokensPerMinute: numberOf('--tokens', options.tokens),
    concurrent: numberOf('--concurrent', options.concurrent),
  }
  await withConnection(context, { work: false }, async ({ client }) => {
    const quota = await client.call(setQuota, { params: { account }, body })
    context.out.document(quota)
    context.out.lines(...table([cells(quota)]))
  })
}

function cells(quota: QuotaView): string[] {
  const { settings, pace } = quota
  const said = (name: string, limit: number | null, now: number | null) =>
    `${now ?? 'any number of'} ${name}${limit === null ? ' (found out)' : ` of ${limit}`}`
  return [
    quota.account,
    quota.provider,
    said('requests/min', settings.requestsPerMinute, pace.requestsPerMinute ?? settings.requestsPerMinute),
    said('tokens/min', settings.tokensPerMinute, pace.tokensPerMinute ?? settings.tokensPerMinute),
    said('at a time', settings.concurrent, pace.concurrent ?? settings.concurrent),
    `${quota.inFlight} under way, ${quota.waiting} waiting`,
    quota.blockedUntil === null ? '' : `refused, until ${quota.blockedUntil}`,
  ]
}

function numberOf(option: string, text: string | undefined): number | null {
  if (text === undefined) return null
  const value = Number(text)
  if (!Number.isFinite(value) || value <= 0) throw cliErrors.usage(`${option} ${text}: expected a number above 0`)
  return value
}
