import type { LoadedConfig } from '../foundation/platform/config/load-config.ts'
import { type AddressGuard, createAddressGuard } from '../foundation/platform/network/address-guard.ts'
import { createGuardedFetch } from '../foundation/platform/network/guarded-fetch.ts'
import { a2aErrors } from '../orchestration/agents/a2a/a2a-errors.ts'
import { type RemoteAgent, readCard } from '../orchestration/agents/a2a/read-card.ts'
import { sessionErrors } from '../orchestration/agents/sessions/session-errors.ts'

/** Which addresses remote agents may lie at. */
export function remoteAgentGuard({ config }: LoadedConfig): AddressGuard {
  return createAddressGuard(config.a2a.allow, {
    url: a2aErrors['a2a-url-refused'],
    address: a2aErrors['a2a-address-refused'],
  })
}

export interface LookUpOptions {
  readonly url: string
  readonly origins?: readonly string[]
  readonly headers?: Readonly<Record<string, string>>
  readonly signal: AbortSignal
}

/** Fetches the card of a remote agent once. Throws what is wrong with it, or with its address. */
export function lookUpAgent(loaded: LoadedConfig, options: LookUpOptions): Promise<RemoteAgent> {
  return withFetch(loaded, (fetch) => readCard({ ...options, fetch }))
}

/** Whether anything answers there. Throws where the address may not be spoken to, nothing answers, or it is broken. */
export function reachAddress(loaded: LoadedConfig, url: string, signal: AbortSignal): Promise<void> {
  return withFetch(loaded, async (fetch) => {
    const { status, body } = await fetch(url, { signal })
    await body?.cancel()
    if (status >= 500) throw sessionErrors['agent-unreachable'](`${url} answers ${status}`)
  })
}

async function withFetch<T>(loaded: LoadedConfig, use: (fetch: typeof globalThis.fetch) => Promise<T>): Promise<T> {
  const guarded = createGuardedFetch({
    guard: remoteAgentGuard(loaded),
    unreachable: sessionErrors['agent-unreachable'],
    tooLong: a2aErrors['agent-card-invalid'],
    maxBytes: 1_048_576,
    firstByteMs: 10_000,
  })
  try {
    return await use(guarded.fetch)
  } catch (error) {
    throw lateOr(error)
  } finally {
    await guarded.close()
  }
}

/** That somebody does not answer in time is no fault of ours. */
export function lateOr(error: unknown): unknown {
  if (!(error instanceof Error) || error.name !== 'TimeoutError') return error
  return sessionErrors['agent-unreachable']('it did not answer in time')
}
