import type { StrategyName } from '../../balancing/strategies.ts'
import type { TierModels } from '../../kernel/model-tier.ts'
import type { Confinement } from '../processes/confinement/confinement.ts'
import { shapeA2a } from './a2a-settings.ts'
import { type AgentKind, shapeConfinement } from './agent-kinds.ts'
import { type DriverSettings, type SessionRules, shapeAcp, shapeRules } from './agent-settings.ts'
import type { ConfigFile } from './config-schema.ts'
import { hasNoCommand, isOwnKind, ownKinds, shapeModels, shapeOwnAgent } from './own-agents.ts'
import { type PlaceSettings, placeKinds, shapePlace } from './place-settings.ts'
import { shapeMcp, shapeTools, type ToolServerSettings } from './tool-settings.ts'

/** How a command agent takes its task. */
export interface CommandAgent {
  /** `{prompt}`, `{prompt-file}`, `{depth}`, `{model}` and `{persona}` are replaced inside the arguments; nothing is given to a shell. */
  readonly argv: readonly string[]
  readonly prompt: 'argument' | 'stdin' | 'file'
  readonly timeoutMs: number | null
}

/** Agents of one kind, as the in-process runner registers them. */
export interface PoolConfig {
  readonly name: string
  readonly kind: AgentKind
  /** Null: its agents are no commands, or it does the commands and scripts of workflows and takes no prompts. */
  readonly agent: CommandAgent | null
  /** How its agents are talked to; null: they are plain commands. */
  readonly driver: DriverSettings | null
  /** Where its agents run that do not run on the host itself; null: they do. */
  readonly place: PlaceSettings | null
  /** What agents that are talked to may do. */
  readonly rules: SessionRules
  /** MCP servers whose tools its agents are granted. */
  readonly tools: readonly ToolServerSettings[]
  /** What its processes may touch. Paths are as the file has them: relative to the project, `~` for the home folder. */
  readonly confine: Confinement
  /** Most milliseconds for a prompt, whatever its step allows. */
  readonly timeoutMs: number | null
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
  /** The model that a prompt of each tier is given; empty: its agents choose. */
  readonly tiers: TierModels
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

/** Kinds that have settings of their own name. */
const talks = ['acp', 'a2a', 'mcp', ...ownKinds] as const

export type Complain = (place: readonly string[], text: string) => void

export function shapePools(
  file: ConfigFile['pools'],
  localAgents: number,
  complain: Complain,
  gatewayTiers: TiersFile = {},
): readonly PoolConfig[] {
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
    const kind: AgentKind = pool.kind ?? [...placeKinds, ...talks].find((each) => pool[each] !== undefined) ?? 'command'
    if (!isLocal && kind !== 'mcp' && !hasNoCommand(kind) && pool.command === undefined)
      complain(['pools', name], 'expected `command`: program and arguments of the agent')
    if (isLocal && (kind !== 'command' || pool.confine !== undefined || pool.permissions !== undefined))
      complain(['pools', name], 'the pool `local` runs commands of workflows as the user who starts it')
    const isPlaced = kind === 'container' || kind === 'kubernetes'
    for (const other of [...placeKinds, ...talks])
      if (kind !== other && pool[other] !== undefined && !(isPlaced && other === 'acp'))
        complain(['pools', name, other], `contradicts kind: ${kind}`)
    if (hasNoCommand(kind) && pool.command !== undefined)
      complain(['pools', name, 'command'], `an agent of the kind ${kind} has no command of ours`)
    if ((isPlaced || kind === 'command' || kind === 'mcp' || kind === 'a2a') && pool.tools !== undefined)
      complain(['pools', name, 'tools'], `agents of the kind ${kind} call no tools of ours`)
    if (pool.confine?.network === 'models' && pool.models === undefined)
      complain(
        ['pools', name, 'confine', 'network'],
        'expected `models` of the pool beside it: there is nothing to reach',
      )
    const here: Complain = (place, text) => complain(['pools', name, ...place], text)
    return {
      name,
      kind,
      agent:
        isLocal || !(kind === 'command' || (isPlaced && pool.acp === undefined)) || pool.command === undefined
          ? null
          : shapeAgent(name, { ...pool, command: pool.command }, complain),
      driver: isLocal ? null : shapeDriver(name, kind, pool, here),
      place: shapePlace(kind, pool, here),
      rules: shapeRules(pool),
      tools: shapeTools(pool.tools, (place, text) => here(['tools', ...place], text)),
      confine: shapeConfinement(pool.confine, kind === 'command' || isPlaced ? 'off' : 'auto'),
      timeoutMs: isLocal ? null : (pool.timeout ?? null),
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
      tiers: shapeTiers(name, pool, gatewayTiers, complain),
      models: shapeModels(kind, pool),
    }
  })
}

type FilePool = NonNullable<ConfigFile['pools']>[string]
type TiersFile = NonNullable<FilePool['tiers']>

/** What a pool says itself goes before what is said for all that call models through the gateway. */
function shapeTiers(name: string, pool: FilePool, gateway: TiersFile, complain: Complain): TierModels {
  const all = Object.entries({ ...(pool.models ? gateway : {}), ...pool.tiers })
  const known = all.filter((entry): entry is [string, string] => entry[1] !== undefined)
  if (name === localPool && pool.tiers !== undefined)
    complain(['pools', name, 'tiers'], 'the pool `local` takes no prompts')
  if (pool.command?.some((part) => part.includes('{model}')) && known.length === 0)
    complain(['pools', name, 'command'], '{model} among the arguments needs `tiers`: which models those are')
  return Object.fromEntries(known)
}

function shapeDriver(name: string, kind: AgentKind, pool: FilePool, complain: Complain): DriverSettings | null {
  if (kind === 'a2a') {
    if (pool.a2a === undefined) complain(['a2a'], 'expected `card`: the URL of the card of the agent')
    return pool.a2a === undefined ? null : shapeA2a(pool.a2a)
  }
  if (isOwnKind(kind)) return shapeOwnAgent(kind, pool, complain)
  if (kind === 'mcp') return shapeMcp(name, pool.command, pool.mcp, complain)
  const speaks = kind === 'acp' || ((kind === 'container' || kind === 'kubernetes') && pool.acp !== undefined)
  return speaks && pool.command !== undefined ? shapeAcp(pool.command, pool.acp) : null
}

/** Null where nothing is bounded. */
export function shapeResources(file: ConfigFile['resources']): ResourceConfig | null {
  const { network, ...rest } = file ?? {}
  const all = { ...rest, ...(network === undefined ? {} : { network: network * bytesOfMegabit }) }
  const known = Object.entries(all).filter((entry): entry is [string, number] => entry[1] !== undefined)
  return known.length === 0 ? null : Object.fromEntries(known)
}

const bytesOfMegabit = 125_000
/** Settings of a pool that registrations carry beside its labels. */
const notLabels = ['region', 'taints', 'resources', 'runner-resources', 'enforcement']

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
