import { expect, test } from 'vitest'
import { findRefusal, type SessionFacts } from './check-server.ts'
import { sessionSettings } from './postgres-options.ts'

const settings = sessionSettings({ kind: 'postgres', url: '' }, 'app')
const good: SessionFacts = {
  version: 150_004,
  version_text: '15.4',
  role: 'leanvibe_app',
  bypasses: false,
  plan_cache_mode: 'auto',
  idle_limit: '1000',
}

test('a session with all settings is accepted', () => {
  expect(findRefusal(good, settings)).toBeUndefined()
})

test.each([
  ['an old server', { version: 140_011, version_text: '14.11' }, 'server-too-old', '14.11'],
  ['a dropped role', { role: 'postgres' }, 'pooler-unsupported', 'runs as postgres'],
  ['a dropped plan mode', { plan_cache_mode: 'force_custom_plan' }, 'pooler-unsupported', 'did not arrive'],
  ['a dropped time limit', { idle_limit: '0' }, 'pooler-unsupported', 'did not arrive'],
  ['a role past the policies', { bypasses: true }, 'role-bypasses-policies', 'leanvibe_app'],
])('%s is refused', (_name, change, code, text) => {
  const refusal = findRefusal({ ...good, ...change }, settings)
  expect(refusal).toMatchObject({ code, message: expect.stringContaining(text) })
})

test('no role at all is refused', () => {
  expect(findRefusal(undefined, settings)).toMatchObject({ code: 'pooler-unsupported' })
})
