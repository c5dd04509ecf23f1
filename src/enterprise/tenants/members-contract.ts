import { z } from 'zod'
import { endpoint } from '../../foundation/platform/http/endpoint-contract.ts'
import { pageOf, pageQueryShape } from '../../foundation/platform/http/page-contract.ts'
import { roleSchema } from '../../security/authz/roles-contract.ts'

const memberParams = z.object({ id: z.string().min(1).max(100) })
const label = z.string().trim().min(1).max(200)

/** A person of a tenant. Their keys can do what their role allows, and end with it. */
export const memberSchema = z.object({
  id: z.string(),
  name: z.string(),
  email: z.string().nullable(),
  role: roleSchema,
  rev: z.int(),
  createdAt: z.iso.datetime(),
})
export type MemberView = z.infer<typeof memberSchema>

export const addMember = endpoint({
  method: 'POST',
  path: '/api/v1/members',
  summary: 'Adds a member. It gets in by a key made for it.',
  body: z.object({ name: label, email: z.email().max(320).optional(), role: roleSchema }),
  output: memberSchema,
  status: 201,
  revision: 'rev',
})

export const listMembers = endpoint({
  method: 'GET',
  path: '/api/v1/members',
  summary: 'Lists the members of the tenant, newest first.',
  query: z.object({ ...pageQueryShape, role: roleSchema.optional() }),
  output: pageOf(memberSchema),
})

export const showMember = endpoint({
  method: 'GET',
  path: '/api/v1/members/:id',
  summary: 'Shows a member.',
  params: memberParams,
  output: memberSchema,
  revision: 'rev',
})

export const changeMember = endpoint({
  method: 'PATCH',
  path: '/api/v1/members/:id',
  summary: 'Changes name or role; with If-Match only on top of what was seen. The last owner stays one.',
  params: memberParams,
  body: z.object({ name: label.optional(), role: roleSchema.optional() }),
  output: memberSchema,
  revision: 'rev',
})

export const removeMember = endpoint({
  method: 'DELETE',
  path: '/api/v1/members/:id',
  summary: 'Removes a member and ends its keys. The last owner stays.',
  params: memberParams,
  output: memberSchema,
})
