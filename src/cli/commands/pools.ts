import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { messageOf } from '../../foundation/kernel/errors.ts'
import { parseDuration } from '../../foundation/kernel/units.ts'
import { listPools, type PoolView } from '../../orchestration/agents/pools-contract.ts'
import {
  explainScaling,
  removePoolPolicy,
  type ScalingPolicyInput,
  scalePool,
  scalingStrategySchema,
  setPoolPolicy,
} from '../../orchestration/scaling/scaling-contract.ts'
import type { Act, CliCommand, CliContext } from '../command.ts'
import { withConnection } from '../connect.ts'
import { usageError } from '../failure.ts'
import { plural, table } from '../text.ts'
import { agentCounts } from '../ui/agent-counts.ts'

export const pools: CliCommand = {
  configure(command, act) {
    command
      .command('list', { isDefault: true })
      .description('list pools with their agents, sizes and policies')
      .action(act(list))
    command
      .command('scale')
      .description('set how many agents a pool has')
      .argument('<pool>')
      .argument('<agents>', 'how many', count)
      .action(act(scale))
    configurePolicy(command, act)
  },
}

function configurePolicy(command: Command, act: Act): void {
  command
    .command('policy')
    .description('let a policy decide how many agents a pool has; show it, or take it away')
    .argument('<pool>')
    .addOption(new Option('--strategy <strategy>', 'how it decides').choices(scalingStrategySchema.options))
    .option('--min <n>', 'fewest agents', count)
    .option('--max <n>', 'most agents', count)
    .option('--warm <n>', 'agents kept started beside those at work', count)
    .option('--target <share>', 'utilisation that target_tracking and predictive aim at, 0 to 1', share)
    .option('--every <time>', 'time between looks')
    .option('--cooldown <time>', 'pause after each change')
    .option('--at <entry>', 'for scheduled: "CRON = AGENTS [ZONE]"; may be repeated', entry, [])
    .option('--file <json>', 'the whole policy, as the API takes it')
    .option('--off', 'take the policy away; the pool keeps its size')
    .action(act(policy))
}

interface PolicyOptions {
  readonly strategy?: ScalingPolicyInput['strategy']
  readonly min?: number
  readonly max?: number
  readonly warm?: number
  readonly target?: number
  readonly every?: string
  readonly cooldown?: string
  readonly at: readonly Entry[]
  readonly file?: string
  readonly off?: boolean
}

async function list(context: CliContext): Promise<void> {
  const { out } = context
  await withConnection(context, { work: false }, async ({ client }) => {
    const { items } = await client.call(listPools)
    const policies = new Map((await client.call(explainScaling, { query: {} })).items.map((item) => [item.pool, item]))
    for (const item of items) out.document({ ...item, policy: policies.get(item.name)?.policy ?? null })
    if (items.length === 0) out.lines('no pools yet: they come with the first server, or runner, that has agents')
    else out.lines(...table(items.map((pool) => cells(pool, policies.get(pool.name)?.policy ?? undefined))))
  })
}

async function scale(context: CliContext, pool: string, agents: number): Promise<void> {
  const { out } = context
  await withConnection(context, { work: false }, async ({ client, embedded }) => {
    const answer = await client.call(scalePool, { params: { name: pool }, body: { agents } })
    out.document(answer)
    out.lines(`${out.colors.green('✔')} ${pool} goes from ${answer.from} to ${plural(answer.to, 'agent')}`)
    for (const step of answer.steps.slice(1)) out.lines(`  ${step}`)
    if (embedded) out.note('no server runs that would start or stop agents: leanvibe serve')
  })
}

async function policy(context: CliContext, pool: string, options: PolicyOptions): Promise<void> {
  const { out } = context
  const body = options.off ? null : await policyOf(options, context.cwd)
  await withConnection(context, { work: false }, async ({ client }) => {
    const params = { name: pool }
    if (options.off) {
      out.document(await client.call(removePoolPolicy, { params }))
      out.lines(`${out.colors.green('✔')} ${pool} keeps the size it has`)
      return
    }
    const answer =
      body === null
        ? (await client.call(explainScaling, { query: { pool } })).items[0]!
        : await client.call(setPoolPolicy, { params, body })
    out.document({ pool, policy: answer.policy })
    out.lines(`${pool}  ${JSON.stringify(answer.policy)}`)
  })
}

/** The policy that the options make; null where they say nothing, so that the present one is shown. */
async function policyOf(options: PolicyOptions, cwd: string): Promise<ScalingPolicyInput | null> {
  const { strategy, min, max, warm, target, every, cooldown, at, file } = options
  const named = [min, max, warm, target, every, cooldown].some((value) => value !== undefined) || at.length > 0
  if (file !== undefined) {
    if (named || strategy !== undefined) throw usageError('--file holds the whole policy: nothing beside it is read')
    return readPolicy(resolve(cwd, file), file)
  }
  if (strategy === undefined) {
    if (named) throw usageError('say which --strategy the policy has')
    return null
  }
  const cooldownMs = cooldown === undefined ? undefined : parseDuration(cooldown)
  return JSON.parse(
    JSON.stringify({
      strategy,
      min,
      max,
      warm,
      everyMs: every === undefined ? undefined : parseDuration(every),
      cooldownOutMs: cooldownMs,
      cooldownInMs: cooldownMs,
      targetTracking: target === undefined ? undefined : { utilisation: target },
      predictive: target === undefined ? undefined : { utilisation: target },
      scheduled: at.length === 0 ? undefined : { entries: at },
    }),
  ) as ScalingPolicyInput
}

async function readPolicy(path: string, shown: string): Promise<ScalingPolicyInput> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as ScalingPolicyInput
  } catch (error) {
    throw usageError(`cannot read the policy ${shown}: ${messageOf(error)}`)
  }
}

interface Entry {
  readonly cron: string
  readonly agents: number
  readonly timeZone?: string
}

/** `0 8 * * 1-5 = 20 Europe/Berlin`. */
function entry(text: string, before: readonly Entry[]): readonly Entry[] {
  const match = /^(.+?)\s*=\s*(\d+)(?:\s+(\S+))?$/.exec(text.trim())
  if (match === null) throw new InvalidArgumentError('expected "CRON = AGENTS [ZONE]".')
  const [, cron, agents, zone] = match
  return [...before, { cron: cron!, agents: Number(agents), ...(zone === undefined ? {} : { timeZone: zone }) }]
}

function count(text: string): number {
  if (!/^\d{1,5}$/.test(text)) throw new InvalidArgumentError('expected a whole number from 0 up.')
  return Number(text)
}

function share(text: string): number {
  const value = Number(text)
  if (!(value > 0 && value <= 1)) throw new InvalidArgumentError('expected a number above 0, at most 1.')
  return value
}

function cells(pool: PoolView, rules: ScalingPolicyInput | undefined): string[] {
  const size = pool.desired === null ? '' : `of ${pool.desired}${pool.warm > 0 ? ` and ${pool.warm} warm` : ''}`
  return [
    pool.name,
    Object.keys(pool.byState).length === 0 ? 'no agents' : agentCounts(pool.byState),
    size,
    `${pool.used}/${plural(pool.slots, 'slot')}`,
    rules === undefined ? 'no policy' : rules.strategy,
    pool.strategy,
  ]
}
