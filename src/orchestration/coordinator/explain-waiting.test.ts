import { expect, test } from 'vitest'
import { profileOf } from './agent-profile.ts'
import { type AlikeAgents, explainLane } from './explain-waiting.ts'
import type { LaneRequirements } from './lane-contract.ts'

const agent = (capabilities: string[], labels = {}, full = false): AlikeAgents => ({
  profile: profileOf(capabilities, labels),
  full,
})
const lane = (more: Partial<LaneRequirements> = {}): LaneRequirements => ({
  priority: 5,
  capabilities: ['code'],
  ...more,
})
const request = { cpu: 4, memory: 1, disk: 1, network: 1 }

test.each<[string, LaneRequirements, AlikeAgents[], string | null]>([
  ['nobody', lane(), [], 'the pool p has no agents'],
  [
    'nobody who merges',
    lane({ capabilities: ['merge'] }),
    [agent(['command'])],
    'no agent of the pool p offers merge: branches are moved where the repository is, by the agents `local` of `leanvibe serve`, or of `leanvibe work` that joined the database',
  ],
  ['nobody who can', lane({ capabilities: ['code:3'] }), [agent(['code:2'])], 'no agent of the pool p offers code:3'],
  [
    'nobody in the place',
    lane({ region: 'eu' }),
    [agent(['code'], { region: 'us' }), agent(['code'], { taints: ['gpu'], region: 'eu' })],
    'no agent of the pool p that could do it is in the region eu, or is free of the taint gpu',
  ],
  [
    'nobody large enough',
    lane({ resources: request }),
    [agent(['code'], { resources: { cpu: 2, memory: 9 } })],
    'no agent of the pool p that could do it ever has cpu 4',
  ],
  [
    'a runner that is too small',
    lane({ resources: request }),
    [agent(['code'], { 'runner-resources': { cpu: 3.9 } })],
    'no agent of the pool p that could do it ever has cpu 4',
  ],
  [
    'everybody busy',
    lane(),
    [agent(['code'], {}, true), agent(['other'])],
    'all agents of the pool p that could do it are busy',
  ],
  ['nothing', lane(), [agent(['code'], {}, true), agent(['code'])], null],
])('%s', (_, of, agents, reason) => {
  expect(explainLane('p', of, agents)).toBe(reason)
})

test('resources that others hold', () => {
  const agents = [agent(['code'], { resources: { cpu: 8 } })]
  expect(explainLane('p', lane({ resources: request }), agents)).toMatch(
    /have not enough cpu, memory, disk or network left/,
  )
})
