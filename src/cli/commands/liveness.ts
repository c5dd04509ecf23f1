import { Option } from 'commander'
import { isAppError } from '../../foundation/kernel/errors.ts'
import type { JsonValue } from '../../foundation/kernel/json.ts'
import { parseDuration } from '../../foundation/kernel/units.ts'
import {
  answerFinding,
  type DetectorName,
  detectorSchema,
  type FindingView,
  findingStateSchema,
  listFindings,
  setLivenessPolicy,
  showLivenessPolicy,
} from '../../orchestration/liveness/liveness-contract.ts'
import type { CliCommand, CliContext } from '../command.ts'
import { withConnection } from '../connect.ts'
import { usageError } from '../failure.ts'
import { keyValue, wholeNumber } from '../parse-options.ts'
import { oneLine } from '../text.ts'

export const liveness: CliCommand = {
  configure(command, act) {
    command
      .command('list', { isDefault: true })
      .description('list findings, newest first')
      .addOption(new Option('--state <state>', 'only those in this state').choices(findingStateSchema.options))
      .option('--limit <n>', 'how many', wholeNumber, 20)
      .action(act(list))
    for (const [word, text] of [
      ['continue', 'let the runs go on that a finding paused'],
      ['cancel', 'end the runs that a finding paused'],
    ] as const) {
      command
        .command(word)
        .description(text)
        .argument('<finding>')
        .action(act((context, id: string) => answer(context, id, word)))
    }
    command
      .command('policy')
      .description('show when the detectors speak and what they do, or change it')
      .argument('[detector]', `one of ${detectorSchema.options.join(', ')}`)
      .option(
        '--set <name=value>',
        'such as action=act, times=10, afterMs=1h, maxParallelAgents=40; may be repeated',
        keyValue,
      )
      .action(act(policy))
  },
}

async function list(context: CliContext, options: { state?: FindingView['state']; limit: number }): Promise<void> {
  const { out } = context
  await withConnection(context, { work: false }, async ({ client }) => {
    const { items } = await client.call(listFindings, { query: options })
    for (const item of items) out.document(item)
    if (items.length === 0) out.lines('nothing was found')
    for (const item of items) tell(context, item)
  })
}

async function answer(context: CliContext, id: string, word: 'continue' | 'cancel'): Promise<void> {
  const { out } = context
  await withConnection(context, { work: false }, async ({ client }) => {
    const item = await client.call(answerFinding, { params: { id }, body: { answer: word } })
    out.document(item)
    tell(context, item)
  })
}

async function policy(
  context: CliContext,
  detector: string | undefined,
  { set }: { set?: Readonly<Record<string, string>> },
): Promise<void> {
  const { out } = context
  if (set !== undefined && detector === undefined) throw usageError('say which detector the settings are for')
  if (detector !== undefined && !detectorSchema.options.includes(detector as DetectorName)) {
    throw usageError(`no detector is called ${detector}; there are ${detectorSchema.options.join(', ')}`)
  }
  await withConnection(context, { work: false }, async ({ client }) => {
    const policies =
      set === undefined
        ? await client.call(showLivenessPolicy)
        : await client.call(setLivenessPolicy, {
            params: { detector: detector as DetectorName },
            body: settingsOf(set),
          })
    out.document(policies)
    for (const [name, rules] of Object.entries(policies)) {
      if (detector === undefined || name === detector) out.lines(`${name}  ${JSON.stringify(rules)}`)
    }
  })
}

/** Numbers, true, false and null as what they are; times of `...Ms` as people write them. */
function settingsOf(texts: Readonly<Record<string, string>>): Record<string, never> {
  return Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, settingOf(name, text)])) as Record<
    string,
    never
  >
}

function settingOf(name: string, text: string): JsonValue {
  if (/^(true|false|null|\d+)$/.test(text)) return JSON.parse(text) as JsonValue
  if (!name.endsWith('Ms')) return text
  try {
    return parseDuration(text)
  } catch (error) {
    if (isAppError(error)) throw usageError(`${name}: ${error.message}`)
    throw error
  }
}

function tell({ out }: CliContext, item: FindingView): void {
  const end = item.answeredBy === null ? '' : ` by ${item.answeredBy}`
  const deadline = item.state === 'open' && item.deadlineAt !== null ? `, until ${item.deadlineAt}` : ''
  out.lines(
    `${out.colors.bold(item.id)}  ${item.detector}  ${item.state}${end}${deadline}  ${item.foundAt}`,
    `  ${oneLine(item.explanation, 300)}`,
  )
}
