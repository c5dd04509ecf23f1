import { expect, test } from 'vitest'
import { findRefusal, type SessionFacts } from './check-server.ts'
import { sessionSettings } from './postgres-options.ts'

const settings = sessionSettings({ kind: 'postgres', url: '' }, 'app')
const good: SessionFacts = {
  version: 150_004,
  version_text: '15.4',
  role: 'leanvibe_app',
  bypasses: false,
  pid: 1,
  plan_cache_mode: 'force_custom_plan',
  idle_limit: '1000',
}

test('two separate sessions with all settings are accepted', () => {
  expect(findRefusal([good, { ...good, pid: 2 }], settings)).toBeUndefined()
})

test.each([
  ['an old server', { version: 140_011, version_text: '14.11' }, 'server-too-old', '14.11'],
  ['a shared session', { pid: 2 }, 'pooler-unsupported', 'transaction mode'],
  ['a dropped role', { role: 'postgres' }, 'pooler-unsupported', 'runs as postgres'],
  ['a dropped plan mode', { plan_cache_mode: 'auto' }, 'pooler-unsupported', 'did not arrive'],
  ['a dropped time limit', { idle_limit: '0' }, 'pooler-unsupported', 'did not arrive'],
  ['a role past the policies', { bypasses: true }, 'role-bypasses-policies', 'leanvibe_app'],
])('%s is refused', (_name, change, code, text) => {
  const refusal = findRefusal(
    [
      { ...good, ...change },
      { ...good, pid: 2 },
    ],
    settings,
  )
  expect(refusal).toMatchObject({ code, message: expect.stringContaining(text) })
})

test('no role at all is refused', () => {
  expect(findRefusal([], settings)).toMatchObject({ code: 'pooler-unsupported' })
})
