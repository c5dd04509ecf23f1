import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { QuotaBrokerPort, QuotaPermit } from '../../orchestration/quotas/quota-port.ts'
import type { Outgoing } from './outgoing.ts'

/** Leave to call one of the targets, from the account that has room first. Null where there is none within `waitMs`. */
export async function acquireAccount(
  { quotas, accountsOf }: { readonly quotas: QuotaBrokerPort; readonly accountsOf: TenantId },
  asker: TenantId,
  open: readonly Outgoing[],
  waitMs: number,
  signal: AbortSignal,
): Promise<QuotaPermit | null> {
  const [first] = open
  const stop = new AbortController()
  const leave = () => stop.abort(signal.reason)
  const timer = setTimeout(leave, Math.max(0, waitMs))
  signal.addEventListener('abort', leave, { once: true })
  try {
    return await quotas.acquire(
      {
        tenant: accountsOf,
        asker,
        targets: open.map(({ target }) => ({ account: target.account.name, model: target.model })),
        failover: { account: true, model: true },
        // A token is some four letters of a text, and answers are shorter than they may be.
        tokens: Math.ceil(first!.bound.inputTokens / 4) + Math.min(first!.bound.outputTokens, 1_000),
      },
      stop.signal,
    )
  } catch (error) {
    signal.throwIfAborted()
    if (!stop.signal.aborted) throw error
    return null
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', leave)
  }
}
