import { expect, test } from 'vitest'
import { defaultPermissions } from '../../../foundation/platform/config/agent-kinds.ts'
import type { SessionContext } from './agent-session.ts'
import { createPermissions } from './permissions.ts'

const context = {
  ask: () => Promise.reject(new Error('nobody is to be asked')),
  note: () => {},
} as unknown as SessionContext
const wanted = (kind: 'read' | 'edit', tool?: string) => ({
  ...{ key: 'k', kind, title: 't', outside: false, details: {} },
  ...(tool === undefined ? {} : { tool }),
})

test('a persona keeps to its tools, whatever the pool allows, by kind or by name', async () => {
  const rules = { ...defaultPermissions, tools: { write_file: 'allow' as const } }
  const judge = createPermissions(rules, context, null, ['read', 'think'])
  expect(await judge.decide(wanted('read'))).toMatchObject({ allowed: true })
  expect(await judge.decide(wanted('edit'))).toMatchObject({
    allowed: false,
    reason: 'its persona keeps to read, think',
  })
  expect(await judge.decide(wanted('edit', 'write_file'))).toMatchObject({ allowed: false })
})

test('a persona gives nothing that the pool does not allow', async () => {
  const rules = { kinds: { ...defaultPermissions.kinds, edit: 'off' as const }, tools: {} }
  expect(await createPermissions(rules, context, null, ['edit']).decide(wanted('edit'))).toMatchObject({
    allowed: false,
  })
  expect(await createPermissions(defaultPermissions, context, null).decide(wanted('edit'))).toMatchObject({
    allowed: true,
  })
})
