import { parsePlace, toPage } from '../../foundation/platform/http/page.ts'
import { type Route, route } from '../../foundation/platform/http/route.ts'
import { addMember, changeMember, listMembers, removeMember, showMember } from './members-contract.ts'
import type { MembersService } from './members-service.ts'
import {
  createTenant,
  deleteTenant,
  listTenants,
  resumeTenant,
  showOwnTenant,
  showTenant,
  suspendTenant,
} from './tenants-contract.ts'
import type { TenantsService } from './tenants-service.ts'

export function tenantRoutes(tenants: TenantsService): Route[] {
  return [
    route({
      ...createTenant,
      permission: 'platform:admin',
      handle: ({ principal, body }) => tenants.create(principal, body),
    }),
    route({
      ...listTenants,
      permission: 'platform:read',
      handle: async ({ query: { state, after, limit } }) => {
        const rows = await tenants.list({ state, before: parsePlace(after), limit: limit + 1 })
        return toPage(rows, limit, (tenant) => tenant.createdAt)
      },
    }),
    route({ ...showTenant, permission: 'platform:read', handle: ({ params }) => tenants.show(params.id) }),
    route({
      ...suspendTenant,
      permission: 'platform:admin',
      handle: ({ principal, params, body, ifMatch }) =>
        tenants.suspend(principal, params.id, body.reason ?? null, ifMatch),
    }),
    route({
      ...resumeTenant,
      permission: 'platform:admin',
      handle: ({ principal, params, ifMatch }) => tenants.resume(principal, params.id, ifMatch),
    }),
    route({
      ...deleteTenant,
      permission: 'platform:admin',
      handle: ({ principal, params, body, ifMatch }) =>
        tenants.delete(principal, params.id, body.reason ?? null, ifMatch),
    }),
    route({ ...showOwnTenant, permission: 'tenant:read', handle: ({ principal }) => tenants.show(principal.tenant) }),
  ]
}

export function memberRoutes(members: MembersService): Route[] {
  return [
    route({
      ...addMember,
      permission: 'members:admin',
      handle: ({ principal, body }) => members.add(principal, body),
    }),
    route({
      ...listMembers,
      permission: 'members:read',
      handle: async ({ principal, query: { role, after, limit } }) => {
        const rows = await members.list(principal.tenant, { role, before: parsePlace(after), limit: limit + 1 })
        return toPage(rows, limit, (member) => member.createdAt)
      },
    }),
    route({
      ...showMember,
      permission: 'members:read',
      handle: ({ principal, params }) => members.show(principal.tenant, params.id),
    }),
    route({
      ...changeMember,
      permission: 'members:admin',
      handle: ({ principal, params, body, ifMatch }) => members.change(principal, params.id, body, ifMatch),
    }),
    route({
      ...removeMember,
      permission: 'members:admin',
      handle: ({ principal, params, ifMatch }) => members.remove(principal, params.id, ifMatch),
    }),
  ]
}
