import type { JsonObject } from '../../foundation/kernel/json.ts'
import type { SecretMasker } from '../../foundation/platform/secrets/index.ts'
import { SecretMasker as Masker } from '../../foundation/platform/secrets/index.ts'
import type { AttemptContext } from '../agents/agent-adapter.ts'
import type { WorkspaceTree } from '../workspaces/workspace.ts'
import type { AttemptLog } from './attempt-log.ts'
import type { Assignment } from './exchange-contract.ts'

/** Why an attempt is ended from outside. Of `revoked` and `stopped` nothing is reported: the lease is, or will be, another's. */
export type EndReason = 'cancelled' | 'timeout' | 'revoked' | 'stopped'

const nothing: Readonly<Record<string, string>> = Object.freeze({})
const noSecrets: SecretMasker = new Masker([])

/** One lease that is being worked on. Made by the thousand each second, so it holds only what each needs. */
export class Attempt implements AttemptContext {
  readonly assignment: Assignment
  /** Database time. */
  startedAt = ''
  timeoutMs = Number.POSITIVE_INFINITY
  /** Monotonic milliseconds; infinite without a timeout. */
  deadline = Number.POSITIVE_INFINITY
  /** When an adapter that ignores the end is given up. */
  abandonAt = Number.POSITIVE_INFINITY
  workdir = ''
  outdir = ''
  tempdir = ''
  tree: WorkspaceTree | null = null
  env = nothing
  config = nothing
  masker = noSecrets
  output: AttemptLog | null = null
  ending: EndReason | null = null
  endText = ''
  /** Something of substance happened since progress was last reported. */
  moved = false
  note: string | undefined = undefined
  reportedAt = Number.NEGATIVE_INFINITY
  #controller: AbortController | null = null

  constructor(assignment: Assignment) {
    this.assignment = assignment
  }

  get signal(): AbortSignal {
    if (this.#controller === null) {
      this.#controller = new AbortController()
      if (this.ending !== null) this.#controller.abort(this.endText)
    }
    return this.#controller.signal
  }

  progress(note?: string): void {
    this.moved = true
    if (note !== undefined) this.note = note
  }

  log(stream: 'stdout' | 'stderr', chunk: Uint8Array): void | Promise<void> {
    return this.output?.write(stream, chunk)
  }

  /** Tells the work to stop. The first reason stands, but for a lost lease. */
  end(reason: EndReason, text: string): void {
    if (this.ending === null || reason === 'revoked') this.ending = reason
    if (this.endText === '') this.endText = text
    this.#controller?.abort(this.endText)
  }

  /** Names of secrets: variable or setting, to secret. */
  get secretNames(): { readonly env: JsonObject; readonly config: JsonObject } {
    const { spec } = this.assignment
    return {
      env: 'secretEnv' in spec ? spec.secretEnv : nothing,
      config: 'secretConfig' in spec ? spec.secretConfig : nothing,
    }
  }
}
