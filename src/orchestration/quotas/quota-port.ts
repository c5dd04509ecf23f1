import type { TenantId } from '../../foundation/kernel/ids.ts'

/** Where a call can go. */
export interface QuotaTarget {
  /** An account with a provider, by its id. */
  readonly account: string
  readonly model?: string
  readonly agentKind?: string
}

export interface QuotaRequest {
  readonly tenant: TenantId
  /** Whose call it is, where several share the accounts: of one priority each gets its part. Default: the tenant. */
  readonly asker?: string
  /** In order of preference; the first is what was asked for. */
  readonly targets: readonly QuotaTarget[]
  /** In what the others may differ from the first. Default: in nothing, so that only the first counts. */
  readonly failover?: { readonly account?: boolean; readonly model?: boolean; readonly agentKind?: boolean }
  /** Tokens that the call will probably take. Default 0: not counted. */
  readonly tokens?: number
  /** 0 to 9, higher first. Default 5. */
  readonly priority?: number
  /** How long to wait for the same model and kind of agent before another will do, ms. Default 1,000. */
  readonly patienceMs?: number
}

/** What became of a call, as far as the account is concerned. */
export interface CallOutcome {
  /** HTTP status; 429 and 529 mean that the provider refused. Null: no answer. */
  readonly status: number | null
  readonly headers?: Headers | Readonly<Record<string, string | undefined>>
  /** Tokens that the call really took. */
  readonly tokens?: number
}

/** Leave for one call. */
export interface QuotaPermit {
  readonly target: QuotaTarget
  /** Gives the place back and tells the fleet how it went. The second call does nothing. */
  done(outcome: CallOutcome): void
}

/** One limiter per provider account for the whole fleet. */
export interface QuotaBrokerPort {
  /** Waits for leave. Errors: `quota-unknown`; the reason of `signal`. */
  acquire(request: QuotaRequest, signal?: AbortSignal): Promise<QuotaPermit>
  /**
   * Makes a call under a permit, and again under another as long as the provider refuses it. Returns the first other
   * outcome. What `call` throws gives the place back and is passed on.
   */
  run<T extends CallOutcome>(
    request: QuotaRequest,
    call: (target: QuotaTarget, signal: AbortSignal) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T>
}
