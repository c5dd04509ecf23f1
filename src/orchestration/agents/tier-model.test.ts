import { expect, test } from 'vitest'
import { agentSpec, commandSpec } from '../runners/runner-kit.fixture.ts'
import type { AgentAdapter, AttemptContext, AttemptEnd } from './agent-adapter.ts'
import { commandLineOf } from './command-line.ts'
import { withTierModel } from './tier-model.ts'

const models = { standard: 'usual', strongest: 'largest' }

/** A context as runners make them: its members are getters, and none of them is an own property. */
class Context {
  get config() {
    return { mode: 'plan' }
  }
  get signal() {
    return new AbortController().signal
  }
  progress() {}
}

/** What an adapter behind it is given. */
async function configOf(spec: object, tiers = models, context: object = new Context()) {
  const seen: AttemptContext[] = []
  const inner: AgentAdapter = {
    kind: 'probe',
    enforcement: 'capped',
    run: async (_, given) => {
      seen.push(given)
      return {} as AttemptEnd
    },
  }
  await withTierModel(inner, tiers).run({ spec } as never, context as AttemptContext)
  return seen[0]!
}

test('a prompt gets the model of its tier, with all else that its context has', async () => {
  const context = await configOf(agentSpec('x', { tier: 'strong' }))
  expect(context.config).toEqual({ model: 'usual', mode: 'plan' })
  expect(context.signal).toBeInstanceOf(AbortSignal)
  expect((await configOf(agentSpec('x', { tier: 'strongest' }))).config.model).toBe('largest')
})

test('what the step says goes before; commands, and pools without tiers, get none', async () => {
  const own = { config: { model: 'mine' }, signal: new AbortController().signal }
  expect((await configOf(agentSpec('x'), models, own)).config.model).toBe('mine')
  expect((await configOf(commandSpec(['true']))).config.model).toBeUndefined()
  expect((await configOf(agentSpec('x'), {} as typeof models)).config.model).toBeUndefined()
})

test('a command is told model, persona, tier and tools; what the prompt holds stays text', async () => {
  const agent = { argv: ['a', '-m', '{model}', '{persona}', '{prompt}'], prompt: 'argument' as const, timeoutMs: null }
  const spec = agentSpec('say {model}', { persona: 'reviewer', tier: 'strong', tools: ['read', 'think'] })
  const line = await commandLineOf(spec, agent, '/tmp', 'large')
  expect(line.argv).toEqual(['a', '-m', 'large', 'reviewer', 'say {model}'])
  expect(line.env).toEqual({
    ...{ LEANVIBE_DEPTH: 'deep', LEANVIBE_TIER: 'strong', LEANVIBE_PERSONA: 'reviewer', LEANVIBE_TOOLS: 'read,think' },
  })
})
