import type { StrategyName } from '../../balancing/strategies.ts'
import type { ConfigFile } from './config-schema.ts'

/** How a command agent takes its task. */
export interface CommandAgent {
  /** `{prompt}`, `{prompt-file}` and `{depth}` are replaced inside the arguments; nothing is given to a shell. */
  readonly argv: readonly string[]
  readonly prompt: 'argument' | 'stdin' | 'file'
  readonly timeoutMs: number | null
}

/** Agents of one kind, as the in-process runner registers them. */
export interface PoolConfig {
  readonly name: string
  readonly kind: 'command'
  /** Null: the pool does the commands and scripts of workflows, and takes no prompts. */
  readonly agent: CommandAgent | null
  readonly capabilities: readonly string[]
  readonly agents: number
  readonly slots: number
  readonly weight: number
  readonly labels: Readonly<Record<string, string>>
  /** Null: none; work that asks for a region goes elsewhere. */
  readonly region: string | null
  /** Only work that tolerates all of them is taken. */
  readonly taints: readonly string[]
  /** What each agent hands out; null: slots alone bind it. */
  readonly resources: ResourceConfig | null
  /** Variables passed on from the environment besides the general ones. Their values may be secret. */
  readonly env: readonly string[]
  readonly strategy: StrategyName | null
  /** Names of models that its agents may call through the gateway; empty: all. Null: they get no key. */
  readonly models: readonly string[] | null
}

/** Cores, bytes, bytes, bytes a second. What is absent has no bounds. */
export interface ResourceConfig {
  readonly cpu?: number
  readonly memory?: number
  readonly disk?: number
  readonly network?: number
}

/** The pool of commands and scripts: always there. */
export const localPool = 'local'

export type Complain = (place: readonly string[], text: string) => void

export function shapePools(file: ConfigFile['pools'], localAgents: number, complain: Complain): readonly PoolConfig[] {
  const all: Readonly<Record<string, FilePool>> = { [localPool]: {}, ...file }
  return Object.entries(all).map(([name, pool]): PoolConfig => {
    const isLocal = name === localPool
    if (isLocal && pool.command !== undefined)
      complain(
        ['pools', name, 'command'],
        'the pool `local` runs commands of workflows and takes no command of its own',
      )
    if (isLocal && pool.agents !== undefined)
      complain(['pools', name, 'agents'], 'say `agents:` at the top of the file for the pool `local`')
    if (!isLocal && pool.command === undefined)
      complain(['pools', name], 'expected `command`: program and arguments of the agent')
    return {
      name,
      kind: 'command',
      agent:
        isLocal || pool.command === undefined ? null : shapeAgent(name, { ...pool, command: pool.command }, complain),
      capabilities: pool.capabilities ?? (isLocal ? ['command', 'script'] : [name]),
      agents: isLocal ? localAgents : (pool.agents ?? 1),
      slots: pool.slots ?? 1,
      weight: pool.weight ?? 1,
      labels: shapeLabels(name, pool, complain),
      region: pool.region ?? null,
      taints: pool.taints ?? [],
      resources: shapeResources(pool.resources),
      env: pool.env ?? [],
      strategy: pool.strategy ?? null,
      models: pool.models === undefined || pool.models === false ? null : pool.models === true ? [] : pool.models,
    }
  })
}

type FilePool = NonNullable<ConfigFile['pools']>[string]

/** Null where nothing is bounded. */
export function shapeResources(file: ConfigFile['resources']): ResourceConfig | null {
  const { network, ...rest } = file ?? {}
  const all = { ...rest, ...(network === undefined ? {} : { network: network * bytesOfMegabit }) }
  const known = Object.entries(all).filter((entry): entry is [string, number] => entry[1] !== undefined)
  return known.length === 0 ? null : Object.fromEntries(known)
}

const bytesOfMegabit = 125_000
/** Settings of a pool that registrations carry beside its labels. */
const notLabels = ['region', 'taints', 'resources', 'runner-resources']

function shapeLabels(name: string, pool: FilePool, complain: Complain): Readonly<Record<string, string>> {
  const labels = pool.labels ?? {}
  for (const label of notLabels)
    if (label in labels)
      complain(['pools', name, 'labels', label], 'not a label: it is a setting of the pool, beside `labels`')
  return labels
}

function shapeAgent(
  name: string,
  pool: FilePool & { readonly command: readonly string[] },
  complain: Complain,
): CommandAgent {
  const holds = (mark: string) => pool.command.some((part) => part.includes(mark))
  const prompt = pool.prompt ?? (holds('{prompt-file}') ? 'file' : holds('{prompt}') ? 'argument' : 'stdin')
  const place = ['pools', name, pool.prompt === undefined ? 'command' : 'prompt']
  if (pool.command[0]!.includes('{')) complain(['pools', name, 'command'], 'the program itself cannot be a placeholder')
  if (prompt === 'argument' && !holds('{prompt}'))
    complain(place, 'prompt: argument needs {prompt} among the arguments')
  if (prompt === 'file' && !holds('{prompt-file}'))
    complain(place, 'prompt: file needs {prompt-file} among the arguments')
  if (prompt !== 'argument' && holds('{prompt}'))
    complain(place, `{prompt} among the arguments contradicts prompt: ${prompt}`)
  if (prompt !== 'file' && holds('{prompt-file}'))
    complain(place, `{prompt-file} among the arguments contradicts prompt: ${prompt}`)
  return { argv: pool.command, prompt, timeoutMs: pool.timeout ?? null }
}
