import type { JsonObject } from '../../foundation/kernel/json.ts'

/** What a checkpoint keeps: enough to start a run that goes on from here, even if the original is gone. */
export interface CheckpointDocument {
  readonly format: 1
  readonly run: {
    readonly id: string
    readonly workflow: string
    readonly version: number
    readonly state: string
    readonly inputs: JsonObject
    readonly repo: { readonly path: string; readonly commit: string | null; readonly branch: string | null } | null
    readonly priority: number | null
    readonly parallel: number | null
    readonly labels: Readonly<Record<string, string>>
  }
  /** In the order of the definition. */
  readonly steps: readonly CheckpointStep[]
  readonly artifacts: readonly {
    readonly id: string
    readonly step: string
    readonly name: string
    readonly bytes: number
    readonly sha256: string
    readonly blob: string
  }[]
}

export interface CheckpointStep {
  readonly step: string
  readonly state: string
  readonly byCondition: boolean
  readonly outputs: JsonObject
  /** Commit its workspace was left at. */
  readonly workspaceCommit: string | null
}
