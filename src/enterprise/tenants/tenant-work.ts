import type { TenantId } from '../../foundation/kernel/ids.ts'

/** What the tenants' part needs of the work that goes on in a tenant; the context provides it. */
export interface TenantWork {
  /** Pauses what runs and returns the ids of the runs that this call has paused. What would start others asks by itself. */
  pause(tenant: TenantId): Promise<readonly string[]>
  /** Lets those runs go on, and looks at what was due meanwhile. */
  resume(tenant: TenantId, runs: readonly string[]): Promise<void>
  /** Asks all open runs to end. Returns how many are still open. */
  end(tenant: TenantId): Promise<number>
}
