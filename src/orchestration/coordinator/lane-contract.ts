import { dimensions } from '../../foundation/balancing/dimensions-contract.ts'
import { hashText } from '../../foundation/balancing/hash-text-contract.ts'
import type { StrategyName } from '../../foundation/balancing/strategy-names-contract.ts'
import { type ResourceAmounts, usualRequest } from '../resources/amounts-contract.ts'
import type { ResolvedWork } from '../workflows/task-contract.ts'

/** What a lane asks of an agent, and how urgent its tasks are. What is absent is not asked for. */
export interface LaneRequirements {
  /** 1 to 10, higher first. */
  readonly priority: number
  /** `name` or `name:level`. */
  readonly capabilities: readonly string[]
  readonly preferredCapabilities?: readonly string[]
  readonly labels?: Readonly<Record<string, string>>
  readonly preferredLabels?: Readonly<Record<string, string>>
  readonly avoidedLabels?: Readonly<Record<string, string>>
  readonly region?: string
  readonly tolerations?: readonly string[]
  readonly strategy?: StrategyName
  /** Work of one lane belongs together. Of the keys of steps it is one in `affinityKeys`. */
  readonly affinity?: string
  /** No two of a lane on one agent or runner. */
  readonly apart?: { readonly key: string; readonly scope: 'agent' | 'runner' }
  /** What is set aside for an attempt. Absent: `usualRequest`. */
  readonly resources?: ResourceAmounts
  readonly preemptible?: true
  /** The lane holds the many tasks of a step of few runs: these share with other runs instead of going before them. */
  readonly bulk?: number
}

/** Keys are folded into this many: a lane for every conversation would be too many lanes. */
export const affinityKeys = 64
/** Runs with many tasks are folded into this many lanes, for the same reason. */
export const bulkLanes = 32
/** A step with more tasks than this is bulk. */
export const bulkTasks = 16

/**
 * The lane's name: equal requirements give equal names, and the name says what they are. `5|code,gpu` for priority and
 * capabilities; what is rarely asked for follows as `5|code|r=eu-west;s=weighted`.
 */
export function laneOf(requirements: LaneRequirements): string {
  const { priority, capabilities } = requirements
  const plain = `${priority}|${sorted(capabilities)}`
  const more = fields.flatMap(([letter, write]) => {
    const text = write(requirements)
    return text === '' ? [] : [`${letter}=${text}`]
  })
  return more.length === 0 ? plain : `${plain}|${more.join(';')}`
}

export function parseLane(lane: string): LaneRequirements {
  const bar = lane.indexOf('|')
  const second = lane.indexOf('|', bar + 1)
  const capabilities = second < 0 ? lane.slice(bar + 1) : lane.slice(bar + 1, second)
  const plain = {
    priority: Number(lane.slice(0, bar)),
    capabilities: capabilities === '' ? [] : capabilities.split(','),
  }
  if (second < 0) return plain
  const more = Object.assign(
    {},
    ...lane
      .slice(second + 1)
      .split(';')
      .map(readField),
  ) as Partial<LaneRequirements>
  return { ...plain, ...more }
}

/** What of the name decides which agents fit, and how to choose among them: lanes that agree in it differ in urgency only. */
export function placeOfLane(lane: string): string {
  return lane.slice(lane.indexOf('|') + 1).replace(/[;|]b=\d+$/, '')
}

/** The requirements of a task. `bulk` comes from `bulkOf`; null for steps of few tasks. */
export function requirementsOf(work: ResolvedWork | null, priority: number, bulk: number | null): LaneRequirements {
  const lane = { priority, capabilities: work?.capabilities ?? [], ...(bulk === null ? {} : { bulk }) }
  if (work === null) return lane
  const { affinityKey, apart, ...placement } = work.placement ?? {}
  const { cpuCores, memoryBytes, diskBytes, networkMbps } = work.resources
  const resources = { cpu: cpuCores, memory: memoryBytes, disk: diskBytes, network: networkMbps * bytesOfMegabit }
  const usual = dimensions.every((name) => resources[name] === usualRequest[name])
  return {
    ...lane,
    // A key is there to be gone by, unless the step names a strategy that does not.
    ...(affinityKey === undefined
      ? {}
      : { strategy: 'consistent_hash', affinity: String(hashText(affinityKey) % affinityKeys) }),
    ...placement,
    // The key itself may be long, and may be anything.
    ...(apart === undefined ? {} : { apart: { ...apart, key: hashText(apart.key).toString(16) } }),
    ...(usual ? {} : { resources }),
  }
}

/** In which of the bulk lanes the tasks of a step go; null where they are too few to be in anybody's way. */
export function bulkOf(runId: string, tasks: number): number | null {
  return tasks > bulkTasks ? hashText(runId) % bulkLanes : null
}

const bytesOfMegabit = 125_000

/** The rare fields by letter, in the order in which they are written. */
const fields: readonly (readonly [string, (lane: LaneRequirements) => string])[] = [
  ['p', (lane) => sorted(lane.preferredCapabilities ?? [])],
  ['l', (lane) => pairs(lane.labels)],
  ['f', (lane) => pairs(lane.preferredLabels)],
  ['x', (lane) => pairs(lane.avoidedLabels)],
  ['r', (lane) => lane.region ?? ''],
  ['t', (lane) => sorted(lane.tolerations ?? [])],
  ['s', (lane) => lane.strategy ?? ''],
  ['a', (lane) => encode(lane.affinity ?? '')],
  ['n', (lane) => (lane.apart === undefined ? '' : `${lane.apart.scope},${encode(lane.apart.key)}`)],
  ['q', (lane) => (lane.resources === undefined ? '' : dimensions.map((name) => lane.resources![name]).join(','))],
  ['e', (lane) => (lane.preemptible === true ? '1' : '')],
  ['b', (lane) => (lane.bulk === undefined ? '' : String(lane.bulk))],
]

function readField(field: string): Partial<LaneRequirements> {
  const text = field.slice(2)
  switch (field[0]) {
    case 'p':
      return { preferredCapabilities: text.split(',') }
    case 'l':
      return { labels: readPairs(text) }
    case 'f':
      return { preferredLabels: readPairs(text) }
    case 'x':
      return { avoidedLabels: readPairs(text) }
    case 'r':
      return { region: text }
    case 't':
      return { tolerations: text.split(',') }
    case 's':
      return { strategy: text as StrategyName }
    case 'a':
      return { affinity: decodeURIComponent(text) }
    case 'n': {
      const comma = text.indexOf(',')
      const scope = text.slice(0, comma) === 'runner' ? 'runner' : 'agent'
      return { apart: { key: decodeURIComponent(text.slice(comma + 1)), scope } }
    }
    case 'q': {
      const [cpu = 0, memory = 0, disk = 0, network = 0] = text.split(',').map(Number)
      return { resources: { cpu, memory, disk, network } }
    }
    case 'e':
      return { preemptible: true }
    case 'b':
      return { bulk: Number(text) }
    default:
      // Written by a newer version: what it asks for cannot be told, and is not asked for.
      return {}
  }
}

function encode(text: string): string {
  return encodeURIComponent(text.toWellFormed())
}

function sorted(words: readonly string[]): string {
  return [...new Set(words)].sort().join(',')
}

function pairs(labels: Readonly<Record<string, string>> = {}): string {
  return Object.keys(labels)
    .sort()
    .map((name) => `${name}:${encode(labels[name]!)}`)
    .join(',')
}

function readPairs(text: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    text.split(',').map((pair) => {
      const colon = pair.indexOf(':')
      return [pair.slice(0, colon), decodeURIComponent(pair.slice(colon + 1))]
    }),
  )
}
