import { expect, test } from 'vitest'
import { shapeRules } from '../foundation/platform/config/agent-settings.ts'
import type { PoolConfig } from '../foundation/platform/config/pools.ts'
import { unconfined } from '../foundation/platform/processes/index.ts'
import type { ResolvedTask } from '../orchestration/workflows/workflow-contract.ts'
import { choosePoolFrom, offerOfRegistered, offersPrompts } from './choose-pool.ts'

const pool = (name: string, capabilities: readonly string[], more: Partial<PoolConfig> = {}): PoolConfig => ({
  ...{ name, kind: 'command', agent: { argv: ['x'], prompt: 'stdin', timeoutMs: null }, capabilities },
  ...{
    agents: 1,
    slots: 1,
    weight: 1,
    labels: {},
    region: null,
    taints: [],
    resources: null,
    env: [],
    strategy: null,
    models: null,
    tools: [],
    tiers: {},
  },
  ...{ driver: null, place: null, rules: shapeRules({}), confine: unconfined, timeoutMs: null },
  ...more,
})
const resources = { cpuCores: 1, memoryBytes: 2 ** 29, diskBytes: 2 ** 30, networkMbps: 10 }
const task = (capabilities: readonly string[], placement = {}) =>
  ({ kind: 'agent', priority: 5, capabilities, placement, resources }) as unknown as ResolvedTask
const choose = choosePoolFrom([
  pool('local', ['command'], { agent: null }),
  pool('dear', ['code:9'], { taints: ['dear'], region: 'eu' }),
  pool('usual', ['code:3', 'review']),
])

test.each<[string, ResolvedTask, string]>([
  ['the first that fits', task(['code']), 'usual'],
  ['its level', task(['code:5'], { tolerations: ['dear'] }), 'dear'],
  ['its region', task(['code'], { region: 'eu', tolerations: ['dear'] }), 'dear'],
  ['where none fits, one that could do it, and says what it lacks', task(['review'], { region: 'mars' }), 'usual'],
  ['where nobody could do it', task(['dance']), 'local'],
  ['what is no prompt', { kind: 'command' } as ResolvedTask, 'local'],
  ['the one that has what is preferred', task([], { preferredCapabilities: ['review'] }), 'usual'],
])('%s', (_, spec, name) => {
  expect(choose(spec)).toBe(name)
})

test('pools that agents of other processes have registered come after the own ones', () => {
  const registered = [
    { pool: 'local', capabilities: ['paint'], labels: {} },
    { pool: 'painters', capabilities: ['paint:4', 'code'], labels: { region: 'eu' } },
  ]
  const wide = choosePoolFrom([pool('local', []), pool('usual', ['code:3'])], () => registered.map(offerOfRegistered))
  expect(wide(task(['paint']))).toBe('painters')
  expect(wide(task(['code']))).toBe('usual')
  expect(wide(task(['code'], { region: 'eu' }))).toBe('painters')
})

test('whether anybody takes prompts', () => {
  const local = pool('local', [], { agent: null })
  expect(offersPrompts([local])).toBe(false)
  expect(offersPrompts([local, pool('usual', [])])).toBe(true)
  const registered = [{ pool: 'painters', capabilities: [], labels: {} }]
  expect(offersPrompts([local], () => registered.map(offerOfRegistered))).toBe(true)
})
