import { describe, expect, test } from 'vitest'
import { createProblemLog } from './problem.ts'
import { findSecretsInClear } from './secrets-in-clear.ts'

function found(value: unknown): readonly string[] {
  const log = createProblemLog('w', () => null)
  findSecretsInClear(value, log)
  return log.problems.map((problem) => `${problem.path}: ${problem.message}`)
}

// Put together here, so that scanners of this repository find no credential in it.
const shaped = {
  github: `ghp_${'a1B2c3D4e5'.repeat(4)}`,
  'github fine-grained': `github_pat_${'a1B2c3D4e5'.repeat(5)}`,
  gitlab: `glpat-${'a1B2c3D4e5'.repeat(2)}`,
  anthropic: `sk-ant-${'a1B2c3D4e5'.repeat(3)}`,
  stripe: `sk_live_${'a1B2c3D4e5'.repeat(2)}`,
  slack: `xoxb-${'1234567890'.repeat(2)}`,
  aws: `AKIA${'A1B2C3D4'.repeat(2)}`,
  google: `AIza${'a1B2c3D4e5'.repeat(3)}abcde`,
  npm: `npm_${'a1B2c3D4e5f6'.repeat(3)}`,
  jwt: `eyJ${'a1B2c3D4e5'.repeat(2)}.eyJ${'a1B2c3D4e5'.repeat(2)}.sig${'a1B2c3'.repeat(2)}`,
}

test.each(Object.entries(shaped))('the shape of %s is found anywhere', (_, token) => {
  expect(found({ steps: { a: { command: ['curl', '-H', `Authorization: ${token}`] } } })).toHaveLength(1)
  expect(found({ steps: { a: { script: `x=${token}\n` } } })).toHaveLength(1)
  expect(found({ description: `like ${token}` })).toHaveLength(1)
})

describe('the name of a key', () => {
  test.each([
    'PASSWORD',
    'db_password',
    'API_KEY',
    'apiKey',
    'GITHUB_TOKEN',
    'client-secret',
    'AUTH_TOKEN',
    'PRIVATE_KEY',
    'passphrase',
    'CREDENTIALS',
  ])('%s tells that its value is a secret', (name) => {
    expect(found({ env: { [name]: 'hunter2' } })).toEqual([`env.${name}: the value of ${name} is written out`])
    expect(found({ steps: { a: { agent: { prompt: 'x', config: { [name]: 'hunter2' } } } } })).toHaveLength(1)
    expect(found({ inputs: { [name]: { default: 'hunter2' } } })).toHaveLength(1)
    expect(found({ env: { [name]: '${{ secrets.X }}' } })).toEqual([])
    expect(found({ env: { [name]: '' } })).toEqual([])
  })

  test.each(['TOKENS_MAX', 'KEYBOARD', 'BYPASS', 'TOKEN_FILE', 'SECRETARY', 'MONKEY', 'AUTHOR'])(
    '%s does not',
    (name) => {
      expect(found({ env: { [name]: 'hunter2' } })).toEqual([])
    },
  )

  test('says nothing outside env, config and inputs', () => {
    expect(found({ budget: { tokens: 'many' }, steps: { token: { description: 'a step' } } })).toEqual([])
  })
})

test.each([
  ['a commit', '0123456789abcdef0123456789abcdef01234567'],
  ['a UUID', '123e4567-e89b-42d3-a456-426614174000'],
  ['a path', '/usr/local/lib/Node24/Modules/Of/This/Project'],
  ['a temporary folder', '/tmp/build-of-7-parts-qW3xZ9/Kj4Lm8Np2R'],
  ['a class', 'org.example.Very.Long.Name.Of.A.Class.Number7'],
  ['words', 'AQuickBrownFoxJumpsOverTheLazyDog'],
  ['a template', '${{ inputs.something }}'],
])('%s is no credential', (_, text) => {
  expect(found({ env: { THING: text } })).toEqual([])
})
