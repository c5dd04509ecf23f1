import { expect, test } from 'vitest'
import { depthTable } from './depth-table-contract.ts'
import { evaluateIf, parseWorkflow, resolveItem, resolveStep } from './index.ts'
import { depthSchema } from './policies-contract.ts'
import type { ExpressionContext, ResolvedAgent } from './task-contract.ts'
import type { Depth } from './workflow-contract.ts'

const { definition } = parseWorkflow(
  `name: w
inputs: { who: { default: reviewer } }
defaults: { depth: deep, timeout: 1m }
steps:
  usual: { agent: { prompt: x } }
  own: { agent: { prompt: x, depth: standard, persona: '\${{ inputs.who }}' } }
  bound: { agent: { prompt: x, depth: standard }, timeout: 7m, budget: { usd: 3 } }
  nobody: { if: run.agents, agent: { prompt: '\${{ run.depth }} \${{ run.reviewers.join("+") }}', persona: '' } }
  each: { map: { over: '\${{ run.reviewers }}', as: who, step: { agent: { prompt: x, persona: '\${{ who }}' } } } }
`,
  'w.yaml',
)

function contextOf(depth?: Depth | null, agents?: boolean): ExpressionContext {
  const run = { id: 'run_1', name: 'w', workflow: 'w', attempt: 1, state: 'running', startedAt: '2026-01-01T00:00:00Z' }
  const more = { ...(depth === undefined ? {} : { depth }), ...(agents === undefined ? {} : { agents }) }
  return {
    inputs: { who: 'reviewer' },
    steps: {},
    run: { ...run, ...more },
    repo: { path: '', commit: '', branch: '' },
  }
}
const resolve = (step: string, depth?: Depth | null) => resolveStep(definition, step, contextOf(depth)) as ResolvedAgent

test('nothing asked: the step, then the workflow', () => {
  expect(resolve('usual')).toMatchObject({
    depth: 'deep',
    tier: 'strong',
    timeoutMs: 1_800_000,
    labels: { depth: 'deep' },
  })
  expect(resolve('own')).toMatchObject({ depth: 'standard', tier: 'standard', timeoutMs: 600_000, persona: 'reviewer' })
  expect(resolve('usual', null)).toEqual(resolve('usual'))
})

test.each(depthSchema.options)(
  'asked for %s: it goes before whatever is written, but for limits of the step itself',
  (depth) => {
    const { budget } = depthTable[depth]
    for (const step of ['usual', 'own']) {
      const { timeoutMs, budget: given, ...task } = resolve(step, depth)
      expect(task).toMatchObject({ depth, labels: { depth } })
      expect(given).toEqual({ microUsd: budget.usd * 1_000_000, tokens: budget.tokens })
      expect(timeoutMs).toBe({ standard: 600_000, deep: 1_800_000, ultrathink: 7_200_000 }[depth])
    }
    expect(resolve('bound', depth)).toMatchObject({
      depth,
      timeoutMs: 420_000,
      budget: { microUsd: 3_000_000, tokens: budget.tokens },
    })
  },
)

test('expressions see depth, reviewers and whether there are agents', () => {
  expect(resolve('nobody', 'ultrathink')).toMatchObject({ prompt: 'ultrathink reviewer+validator+security' })
  expect('persona' in resolve('nobody')).toBe(false)
  expect(resolve('nobody').prompt).toBe('deep reviewer+validator')
  const item = { name: 'who', value: 'validator', index: 1 }
  expect(resolveItem(definition, 'each', { ...contextOf('deep'), item })).toMatchObject({ persona: 'validator' })
  expect([contextOf(null, true), contextOf(null, false)].map((each) => evaluateIf(definition, 'nobody', each))).toEqual(
    [true, false],
  )
})

test('each deeper depth gives more of everything', () => {
  const all = depthSchema.options.map((depth) => depthTable[depth])
  for (const [at, one] of all.slice(1).entries()) {
    const before = all[at]!
    expect(one.budget.usd).toBeGreaterThan(before.budget.usd)
    expect(one.reviewers.length).toBeGreaterThan(before.reviewers.length)
    expect(one.raise).toBeGreaterThan(before.raise)
  }
})
