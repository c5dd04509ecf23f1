import { parsePlace, toPage } from '../../foundation/platform/http/page.ts'
import { type Route, route } from '../../foundation/platform/http/route.ts'
import {
  addToMemberGroup,
  createMemberGroup,
  deleteMemberGroup,
  listMemberGroups,
  removeFromMemberGroup,
  showMemberGroup,
} from './groups-contract.ts'
import type { GroupsService } from './groups-service.ts'

export function groupRoutes(groups: GroupsService): Route[] {
  return [
    route({
      ...createMemberGroup,
      permission: 'members:admin',
      handle: ({ principal, body }) => groups.create(principal, body.name),
    }),
    route({
      ...listMemberGroups,
      permission: 'members:read',
      handle: async ({ principal, query: { member, after, limit } }) => {
        const filter = { member: member ?? null, before: parsePlace(after), limit: limit + 1 }
        return toPage(await groups.list(principal.tenant, filter), limit, (group) => group.createdAt)
      },
    }),
    route({
      ...showMemberGroup,
      permission: 'members:read',
      handle: ({ principal, params }) => groups.show(principal.tenant, params.group),
    }),
    route({
      ...deleteMemberGroup,
      permission: 'members:admin',
      handle: ({ principal, params, ifMatch }) => groups.delete(principal, params.group, ifMatch),
    }),
    route({
      ...addToMemberGroup,
      permission: 'members:admin',
      handle: ({ principal, params, ifMatch }) => groups.add(principal, params.group, params.member, ifMatch),
    }),
    route({
      ...removeFromMemberGroup,
      permission: 'members:admin',
      handle: ({ principal, params, ifMatch }) => groups.remove(principal, params.group, params.member, ifMatch),
    }),
  ]
}
