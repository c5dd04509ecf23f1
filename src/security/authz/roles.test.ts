import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { asId, type TenantId } from '../../foundation/kernel/ids.ts'
import { holds, mayUse, type Principal } from '../../foundation/platform/http/principal.ts'
import { covers, firstBeyond, permissionPatternSchema, permissionsOfRole, roleSchema } from './roles-contract.ts'

const part = fc.constantFrom('runs', 'keys', 'members', 'platform', 'models', 'quite-new')
const right = fc.constantFrom('read', 'write', 'admin')
const permission = fc.tuple(part, right).map(([p, r]) => `${p}:${r}` as const)
const pattern = fc.oneof(
  permission,
  part.map((p) => `${p}:*`),
  right.map((r) => `*:${r}`),
  fc.constant('*'),
)
const patterns = fc.array(pattern, { maxLength: 4 })
const tenant = asId<TenantId>('default')

describe('roles', () => {
  test.each([
    ['viewer', 'operator'],
    ['operator', 'admin'],
    ['admin', 'owner'],
  ] as const)('%s may nothing that %s may not', (less, more) => {
    fc.assert(
      fc.property(permission, (asked) => {
        if (holds(permissionsOfRole[less], asked)) expect(holds(permissionsOfRole[more], asked)).toBe(true)
      }),
    )
  })

  test('no role reaches above its tenant', () => {
    for (const role of roleSchema.options) {
      for (const asked of ['platform:read', 'platform:write', 'platform:admin']) {
        expect(holds(permissionsOfRole[role], asked)).toBe(false)
      }
    }
  })

  test('every pattern of a role is one that a key may have', () => {
    for (const role of roleSchema.options)
      for (const held of permissionsOfRole[role]) expect(permissionPatternSchema.safeParse(held).success).toBe(true)
  })
})

describe('granting', () => {
  test('what covers a pattern holds all that the pattern holds', () => {
    fc.assert(
      fc.property(patterns, pattern, permission, (list, given, asked) => {
        if (covers(list, given) && holds([given], asked)) expect(holds(list, asked)).toBe(true)
      }),
      { numRuns: 2_000 },
    )
  })

  test('who was given rights never has more than who gave them', () => {
    fc.assert(
      fc.property(patterns, fc.array(patterns, { maxLength: 2 }), patterns, permission, (own, within, given, asked) => {
        const giver: Principal = { id: 'a', tenant, permissions: own, within }
        if (firstBeyond(giver, given) !== null) return
        if (mayUse({ id: 'b', tenant, permissions: given }, asked)) expect(mayUse(giver, asked)).toBe(true)
      }),
      { numRuns: 2_000 },
    )
  })

  test('scopes narrow and never widen', () => {
    fc.assert(
      fc.property(patterns, patterns, permission, (permissions, scopes, asked) => {
        const may = mayUse({ id: 'a', tenant, permissions, within: [scopes] }, asked)
        expect(may).toBe(holds(permissions, asked) && holds(scopes, asked))
      }),
    )
  })
})
