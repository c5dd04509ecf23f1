import { Client, JsonRpcTransportFactory, RestTransportFactory, TenantTransportDecorator } from '@a2a-js/sdk/client'
import { A2AError } from '@a2a-js/sdk/errors'
import { isAppError, messageOf } from '../../../foundation/kernel/errors.ts'
import type { A2aSettings } from '../../../foundation/platform/config/a2a-settings.ts'
import type { AddressGuard } from '../../../foundation/platform/network/address-guard.ts'
import { createGuardedFetch } from '../../../foundation/platform/network/guarded-fetch.ts'
import type { SecretMasker } from '../../../foundation/platform/secrets/index.ts'
import { sessionErrors } from '../sessions/session-errors.ts'
import { type RemoteAgent, readCard } from './read-card.ts'

export interface ConnectOptions {
  readonly settings: A2aSettings
  readonly guard: AddressGuard
  /** The value of a secret, by its name. */
  readonly readSecret: (name: string) => Promise<string>
  readonly signal: AbortSignal
}

/** A remote agent that can be talked to. */
export interface A2aConnection {
  readonly agent: RemoteAgent
  readonly client: Client
  /** For what is not the agent itself: without what it knows us by. */
  readonly fetch: typeof globalThis.fetch
  /** The value that it knows us by; null: none. */
  readonly secret: string | null
  close(): Promise<void>
}

/** Of one stream of events, whatever is in it: words of an agent are never so many. */
const mostStreamBytes = 64 * 1_048_576

/** Reads the card and makes ready to talk. Throws what `readCard` does, `agent-unreachable`, and refusals of addresses. */
export async function connectA2a({ settings, guard, readSecret, signal }: ConnectOptions): Promise<A2aConnection> {
  const { auth } = settings
  const secret = auth === null ? null : await readSecret(auth.secret)
  const known: Record<string, string> =
    auth === null || secret === null ? {} : { [auth.header]: auth.bearer ? `Bearer ${secret}` : secret }
  const guarded = createGuardedFetch({
    guard,
    unreachable: (why) => sessionErrors['agent-unreachable'](`the connection to it failed: ${why}`),
    tooLong: sessionErrors['agent-protocol'],
    maxStreamBytes: mostStreamBytes,
  })
  try {
    const agent = await readCard({
      ...{ fetch: guarded.fetch, url: settings.card, origins: settings.origins, headers: known, signal },
    })
    const fetchImpl: typeof globalThis.fetch = async (input, init) => {
      const headers = { ...known, ...Object.fromEntries(new Headers(init?.headers)) }
      return refuse(await guarded.fetch(input, { ...init, headers }))
    }
    const { endpoint, card } = agent
    const factory =
      endpoint.protocolBinding === 'JSONRPC'
        ? new JsonRpcTransportFactory({ fetchImpl })
        : new RestTransportFactory({ fetchImpl })
    const transport = await factory.create(endpoint.url, card)
    const scoped = endpoint.tenant === '' ? transport : new TenantTransportDecorator(transport, endpoint.tenant)
    const client = new Client(scoped, card, { polling: true })
    return { agent, client, fetch: guarded.fetch, secret, close: guarded.close }
  } catch (error) {
    await guarded.close()
    throw error
  }
}

/** Answers of the host rather than of the agent. */
function refuse(answer: Response): Response {
  const { status } = answer
  if (status === 401 || status === 403) throw sessionErrors['agent-auth'](`it answers ${status}`)
  if (status >= 300 && status < 400) throw sessionErrors['agent-protocol'](`it answers ${status}, a redirect`)
  if (status === 429 || status === 502 || status === 503 || status === 504) {
    throw sessionErrors['agent-unreachable'](`it answers ${status}`)
  }
  return answer
}

/** What went wrong in a call, as an error of ours. */
export function explainCall(error: unknown, masker: SecretMasker): Error {
  if (isAppError(error)) return error
  const told = error instanceof Error && error.cause instanceof A2AError ? error.cause : error
  const text = masker.text(messageOf(told)).slice(0, 2_000)
  if (told instanceof A2AError) return sessionErrors['agent-failed'](text)
  return sessionErrors['agent-protocol'](`it does not keep to the protocol: ${text}`)
}

/** The reason that the protocol names for a refusal, such as `TASK_NOT_FOUND`; null: it is none of the agent's. */
export function reasonOf(error: unknown): string | null {
  const told = error instanceof Error && error.cause instanceof A2AError ? error.cause : error
  return told instanceof A2AError ? told.reason : null
}
