import { z } from 'zod'
import type { StateTable } from '../../foundation/kernel/state-table.ts'

/** `suspended`: nobody of it gets in. `deleting`: its rows and contents go. `deleted`: counted and found to be gone. */
export const tenantStateSchema = z.enum(['active', 'suspended', 'deleting', 'deleted'])
export type TenantState = z.infer<typeof tenantStateSchema>

export type TenantEvent = 'suspend' | 'resume' | 'delete' | 'purged'

export const tenantStates: StateTable<TenantState, TenantEvent> = {
  active: { suspend: 'suspended', resume: null, delete: 'deleting', purged: null },
  suspended: { suspend: null, resume: 'active', delete: 'deleting', purged: null },
  deleting: { suspend: null, resume: null, delete: null, purged: 'deleted' },
  deleted: { suspend: null, resume: null, delete: null, purged: null },
}
