import { expect, test } from 'vitest'
import { shapePools } from '../foundation/platform/config/pools.ts'
import type { HostConfinement } from '../foundation/platform/processes/index.ts'
import { enforcementOf } from './enforcement-of.ts'

type File = NonNullable<Parameters<typeof shapePools>[0]>

const bare: HostConfinement = { bubblewrap: null, unshare: null, problem: 'no such program' }
const namespaces = { ...bare, unshare: '/usr/bin/unshare' } as HostConfinement
const bubblewrap = { ...namespaces, bubblewrap: '/usr/bin/bwrap' } as HostConfinement

function classesOf(pool: File[string]): readonly string[] {
  const complain = (place: readonly string[], text: string) => expect.fail(`${place.join('.')}: ${text}`)
  const [, shaped] = shapePools({ it: pool }, 1, complain)
  return [bare, namespaces, bubblewrap].map((host) => enforcementOf(shaped!, host))
}

test('a pool says that money is bound only where this host keeps its agents to what is bound', () => {
  const command = ['agent']
  const everywhere = (word: string) => [word, word, word]
  expect(classesOf({ command })).toEqual(everywhere('reported'))
  expect(classesOf({ command, models: true })).toEqual(everywhere('reported'))
  for (const kind of ['command', 'acp'] as const) {
    const models = { kind, command, models: true, confine: { mode: 'auto', network: 'models' } } as const
    expect(classesOf(models)).toEqual(['reported', 'reported', 'metered'])
    const off = { kind, command, confine: { mode: 'auto', network: 'off' } } as const
    expect(classesOf(off)).toEqual(['reported', 'capped', 'capped'])
    expect(classesOf({ kind, command, confine: { mode: 'off', network: 'off' } })).toEqual(everywhere('reported'))
  }
  expect(classesOf({ kind: 'llm', llm: { model: 'm' }, models: true })).toEqual(everywhere('metered'))
  expect(classesOf({ kind: 'http', http: { url: 'https://agent.example' } })).toEqual(everywhere('reported'))
  const placed = (network?: string) =>
    classesOf({ command, container: { image: 'i', ...(network === undefined ? {} : { network }) }, models: true })
  expect(placed()).toEqual(everywhere('capped'))
  expect(placed('models')).toEqual(everywhere('metered'))
  expect(placed('bridge')).toEqual(everywhere('reported'))
})

test('the commands of workflows run as the user, and a function is within no bounds', () => {
  const [local] = shapePools(undefined, 1, (_, text) => expect.fail(text))
  expect(enforcementOf(local!, bubblewrap)).toBe('reported')
})
