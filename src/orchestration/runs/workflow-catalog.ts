import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { JsonObject } from '../../foundation/kernel/json.ts'
import type { ReadTx, Tx } from '../../foundation/platform/database/database.ts'
import type { WorkflowDefinition } from '../workflows/workflow-contract.ts'

export interface StoredWorkflow {
  readonly definition: WorkflowDefinition
  readonly version: number
}

/** Where runs get their definitions; the `workflows` part provides it. */
export interface WorkflowCatalog {
  /** Finds a workflow by name and stores its present content as a version. Throws `workflow-not-found`. */
  store(
    tx: Tx,
    tenant: TenantId,
    what: { readonly name: string } | { readonly text: string; readonly fileName: string },
    now: Date,
  ): Promise<StoredWorkflow>
  /** The definition a run began with. */
  read(tx: ReadTx, tenant: TenantId, name: string, version: number): Promise<WorkflowDefinition>
  /** Inputs with their defaults, checked against the declaration. Throws `inputs-invalid`. */
  resolveInputs(definition: WorkflowDefinition, given: JsonObject): JsonObject
}
