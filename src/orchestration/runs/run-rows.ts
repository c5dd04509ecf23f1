import type { RunId, TenantId } from '../../foundation/kernel/ids.ts'
import type { JsonObject, JsonValue } from '../../foundation/kernel/json.ts'
import type { RunOutcome } from './next-moves.ts'
import type { RunState, TaskState } from './states-contract.ts'

export interface RunRef {
  readonly tenant: TenantId
  readonly runId: RunId
}

/** A run as it is stored. */
export interface RunRow {
  readonly tenant: TenantId
  readonly id: RunId
  readonly workflow: string
  readonly version: number
  readonly state: RunState
  readonly rev: number
  readonly inputs: JsonObject
  readonly outputs: JsonValue
  readonly error: { readonly code: string; readonly message: string } | null
  readonly repo: { readonly path: string; readonly commit: string | null; readonly branch: string | null } | null
  /** Null: as the workflow says. */
  readonly priority: number | null
  readonly parallel: number | null
  readonly concurrencyKey: string | null
  readonly labels: Readonly<Record<string, string>>
  readonly origin: { readonly kind: RunOriginKind; readonly id: string } | null
  /** The task of another run that waits for this one. */
  readonly parentTask: string | null
  readonly cancelRequested: boolean
  readonly outcome: RunOutcome | null
  readonly createdAt: Date
  readonly startedAt: Date | null
  readonly endedAt: Date | null
}

export type RunOriginKind = 'retry' | 'restore' | 'fork' | 'sub-run'

/** A step of a run as it is stored. Counts are of its tasks. */
export interface StepRow {
  readonly step: string
  readonly position: number
  readonly state: TaskState
  readonly rev: number
  readonly reason: string | null
  readonly byCondition: boolean
  readonly total: number
  readonly open: number
  readonly failed: number
  readonly cancelled: number
  readonly tolerate: number
  readonly outputs: JsonValue
  readonly error: { readonly code: string; readonly message: string } | null
  readonly startedAt: Date | null
  readonly endedAt: Date | null
}

export function keyOf(ref: RunRef): string {
  return `${ref.tenant}/${ref.runId}`
}
