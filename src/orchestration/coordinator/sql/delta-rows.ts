import type { TenantId } from '../../../foundation/kernel/ids.ts'
import type { CounterDeltas } from './apply-counters.ts'

/** Deltas as statements return them. */
export interface DeltaRow {
  agents: [TenantId, string, number][] | null
  steps: [TenantId, string, string, number, number, number, number | null][] | null
  budgets: [TenantId, string, number, number, string | null][] | null
}

export function toDeltas(row: DeltaRow): CounterDeltas {
  return {
    agents: (row.agents ?? []).map(([tenant, agentId, used]) => ({ tenant, agentId, used })),
    steps: (row.steps ?? []).map(([tenant, runId, step, open, failed, cancelled, seen]) => ({
      tenant,
      runId,
      step,
      open,
      failed,
      cancelled,
      seen: seen ?? 0,
    })),
    budgets: (row.budgets ?? []).map(([tenant, budget, held, spent, at]) => ({ tenant, budget, held, spent, at })),
  }
}
