import { parsePlace, toPage } from '../../foundation/platform/http/page.ts'
import { type Route, route } from '../../foundation/platform/http/route.ts'
import {
  createKeyEndpoint,
  createRunnerToken,
  listKeys,
  renewRunnerToken,
  revokeKey,
  rotateKey,
  showKey,
  whoAmI,
} from './keys-contract.ts'
import type { KeysService } from './keys-service.ts'
import type { RunnerTokens } from './runner-tokens.ts'

export function keyRoutes(keys: KeysService, runnerTokens: RunnerTokens): Route[] {
  return [
    route({
      ...whoAmI,
      permission: 'self:read',
      handle: ({ principal: { id, tenant, key, permissions, within } }) => ({
        id,
        tenant,
        key: key ?? null,
        permissions: [...permissions],
        within: (within ?? []).map((list) => [...list]),
      }),
    }),
    route({
      ...createKeyEndpoint,
      permission: 'keys:admin',
      handle: ({ principal, body }) => keys.create(principal, body),
    }),
    route({
      ...listKeys,
      permission: 'keys:admin',
      handle: async ({ principal, query: { state, after, limit } }) => {
        const rows = await keys.list(principal.tenant, { state, before: parsePlace(after), limit: limit + 1 })
        return toPage(rows, limit, (key) => key.createdAt)
      },
    }),
    route({
      ...showKey,
      permission: 'keys:admin',
      handle: ({ principal, params }) => keys.show(principal.tenant, params.id),
    }),
    route({
      ...rotateKey,
      permission: 'keys:admin',
      handle: ({ principal, params, body }) => keys.rotate(principal, params.id, body.overlap),
    }),
    route({
      ...revokeKey,
      permission: 'keys:admin',
      handle: ({ principal, params }) => keys.revoke(principal.tenant, params.id),
    }),
    route({
      ...createRunnerToken,
      permission: 'runners:admin',
      handle: ({ principal, body }) => runnerTokens.create(principal, body.name, body.expiresIn),
    }),
    route({
      ...renewRunnerToken,
      permission: 'runners:write',
      handle: ({ principal, body }) => runnerTokens.renew(principal, body.expiresIn),
    }),
  ]
}
