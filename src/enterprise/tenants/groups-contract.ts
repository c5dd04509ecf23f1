import { z } from 'zod'
import { endpoint } from '../../foundation/platform/http/endpoint-contract.ts'
import { pageOf, pageQueryShape } from '../../foundation/platform/http/page-contract.ts'

/** Names people write after `group:`. */
export const groupNameSchema = z
  .string()
  .regex(/^[a-z][a-z0-9_-]{0,62}$/, 'expected a small letter, then small letters, digits, _ and -')

/** Members under one name, for those who are asked and those who may answer. */
export const memberGroupSchema = z.object({
  id: z.string(),
  name: z.string(),
  rev: z.int(),
  createdAt: z.iso.datetime(),
  members: z.array(z.object({ id: z.string(), name: z.string(), email: z.string().nullable() })),
})
export type MemberGroupView = z.infer<typeof memberGroupSchema>

const groupParams = z.object({ group: groupNameSchema })
const memberParams = z.object({ group: groupNameSchema, member: z.string().min(1).max(320) })

export const createMemberGroup = endpoint({
  method: 'POST',
  path: '/api/v1/groups',
  summary: 'Makes a group of members, for those who may answer and those who are asked.',
  body: z.object({ name: groupNameSchema }),
  output: memberGroupSchema,
  status: 201,
  revision: 'rev',
})

export const listMemberGroups = endpoint({
  method: 'GET',
  path: '/api/v1/groups',
  summary: 'Lists the groups of the tenant with their members, newest first.',
  query: z.object({ ...pageQueryShape, member: z.string().max(320).optional() }),
  output: pageOf(memberGroupSchema),
})

export const showMemberGroup = endpoint({
  method: 'GET',
  path: '/api/v1/groups/:group',
  summary: 'Shows a group by its name.',
  params: groupParams,
  output: memberGroupSchema,
  revision: 'rev',
})

export const deleteMemberGroup = endpoint({
  method: 'DELETE',
  path: '/api/v1/groups/:group',
  summary: 'Removes a group; its members stay members of the tenant.',
  params: groupParams,
  output: memberGroupSchema,
})

export const addToMemberGroup = endpoint({
  method: 'PUT',
  path: '/api/v1/groups/:group/members/:member',
  summary: 'Adds a member, by id or e-mail address; one that is in it already stays.',
  params: memberParams,
  output: memberGroupSchema,
  revision: 'rev',
})

export const removeFromMemberGroup = endpoint({
  method: 'DELETE',
  path: '/api/v1/groups/:group/members/:member',
  summary: 'Takes a member out of a group, by id or e-mail address; one that is not in it stays out.',
  params: memberParams,
  output: memberGroupSchema,
  revision: 'rev',
})
