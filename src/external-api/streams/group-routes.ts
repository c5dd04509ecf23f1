import { type Route, route } from '../../foundation/platform/http/route.ts'
import { formatCursor } from '../../foundation/runtime/cursors.ts'
import type { GroupsService } from './groups-service.ts'
import type { GroupFigures } from './groups-store.ts'
import {
  ackGroup,
  createGroup,
  type GroupView,
  listGroups,
  nackGroup,
  pullGroup,
  removeGroup,
  reviveGroup,
  seekGroup,
  showGroup,
} from './streams-contract.ts'

/** Consumer groups over plain requests: pull, work, acknowledge. */
export function groupRoutes(groups: GroupsService): Route[] {
  return [
    route({
      ...listGroups,
      permission: 'events:read',
      handle: async ({ principal }) => ({ items: (await groups.list(principal.tenant)).map(toGroupView) }),
    }),
    route({
      ...createGroup,
      permission: 'events:write',
      handle: async ({ principal, body }) => toGroupView(await groups.create(principal.tenant, body)),
    }),
    route({
      ...showGroup,
      permission: 'events:read',
      handle: async ({ principal, params }) => toGroupView(await groups.show(principal.tenant, params.name)),
    }),
    route({
      ...removeGroup,
      permission: 'events:write',
      handle: ({ principal, params }) => groups.remove(principal.tenant, params.name),
    }),
    route({
      ...seekGroup,
      permission: 'events:write',
      handle: async ({ principal, params, body }) =>
        toGroupView(await groups.seek(principal.tenant, params.name, body.from)),
    }),
    route({
      ...pullGroup,
      permission: 'events:read',
      handle: async ({ principal, params, body, signal }) => {
        const { member, max, waitSeconds } = body
        const ask = { member, max, waitMs: waitSeconds * 1_000 }
        return { events: [...(await groups.pull(principal.tenant, params.name, ask, signal))] }
      },
    }),
    route({
      ...ackGroup,
      permission: 'events:read',
      handle: async ({ principal, params, body }) => ({
        acked: await groups.ack(principal.tenant, params.name, body.tokens),
      }),
    }),
    route({
      ...nackGroup,
      permission: 'events:read',
      handle: async ({ principal, params, body }) => ({
        returned: await groups.nack(principal.tenant, params.name, body.tokens, body.delaySeconds * 1_000),
      }),
    }),
    route({
      ...reviveGroup,
      permission: 'events:write',
      handle: async ({ principal, params }) => ({ revived: await groups.revive(principal.tenant, params.name) }),
    }),
  ]
}

function toGroupView(group: GroupFigures): GroupView {
  const { name, filter, position, ackMs, maxAttempts, leased, dead, rev, createdAt } = group
  return {
    name,
    filter,
    cursor: formatCursor(position),
    ackSeconds: ackMs / 1_000,
    maxAttempts,
    leased,
    dead,
    rev,
    createdAt: createdAt.toISOString(),
  }
}
