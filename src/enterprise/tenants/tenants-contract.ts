import { z } from 'zod'
import { endpoint } from '../../foundation/platform/http/endpoint-contract.ts'
import { pageOf, pageQueryShape } from '../../foundation/platform/http/page-contract.ts'
import { newKeySchema } from '../../security/authn/keys-contract.ts'
import { tenantStateSchema } from './tenant-states-contract.ts'

const tenantId = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'expected lower-case letters, digits and -, at most 63 of them')
const tenantParams = z.object({ id: tenantId })
const label = z.string().trim().min(1).max(200)

/** What was counted when the rows of a tenant were gone. */
export const purgeSchema = z.object({
  at: z.iso.datetime(),
  /** Rows that were removed, and rows that were found afterwards (0), by table. */
  tables: z.record(z.string(), z.object({ removed: z.int(), left: z.int() })),
  blobs: z.object({ removed: z.int(), left: z.int() }),
})
export type Purge = z.infer<typeof purgeSchema>

export const tenantSchema = z.object({
  id: z.string(),
  name: z.string(),
  state: tenantStateSchema,
  /** Why it is suspended or deleted. */
  reason: z.string().nullable(),
  rev: z.int(),
  createdAt: z.iso.datetime(),
  changedAt: z.iso.datetime().nullable(),
  /** Set once it is deleted. */
  purge: purgeSchema.nullable(),
})
export type TenantView = z.infer<typeof tenantSchema>

export const createTenant = endpoint({
  method: 'POST',
  path: '/api/v1/tenants',
  summary: 'Makes a tenant and the key of its first owner, which is in this answer and nowhere else.',
  body: z.object({ id: tenantId, name: label.optional() }),
  output: z.object({ tenant: tenantSchema, ownerKey: newKeySchema }),
  status: 201,
  secret: true,
})

export const listTenants = endpoint({
  method: 'GET',
  path: '/api/v1/tenants',
  summary: 'Lists tenants, newest first.',
  query: z.object({ ...pageQueryShape, state: tenantStateSchema.optional() }),
  output: pageOf(tenantSchema),
})

export const showTenant = endpoint({
  method: 'GET',
  path: '/api/v1/tenants/:id',
  summary: 'Shows a tenant; a deleted one with the proof that nothing of it is left.',
  params: tenantParams,
  output: tenantSchema,
  revision: 'rev',
})

const change = z.object({ reason: z.string().max(1_000).optional() })

export const suspendTenant = endpoint({
  method: 'POST',
  path: '/api/v1/tenants/:id/suspend',
  summary: 'Lets nobody of a tenant in, and pauses its runs. Nothing is lost.',
  params: tenantParams,
  body: change,
  output: tenantSchema,
  revision: 'rev',
})

export const resumeTenant = endpoint({
  method: 'POST',
  path: '/api/v1/tenants/:id/resume',
  summary: 'Lets a suspended tenant in again, and resumes the runs that the suspension paused.',
  params: tenantParams,
  output: tenantSchema,
  revision: 'rev',
})

export const deleteTenant = endpoint({
  method: 'DELETE',
  path: '/api/v1/tenants/:id',
  summary:
    'Ends the runs of a tenant and removes all of its rows and contents, in the background. There is no way back.',
  params: tenantParams,
  body: change,
  output: tenantSchema,
  status: 202,
  revision: 'rev',
})

export const showOwnTenant = endpoint({
  method: 'GET',
  path: '/api/v1/tenant',
  summary: 'Shows the tenant of the caller.',
  output: tenantSchema,
  revision: 'rev',
})
