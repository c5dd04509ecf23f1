import { A2A_PROTOCOL_VERSION, type AgentCard, formatSSEErrorEvent, formatSSEEvent, SSE_HEADERS } from '@a2a-js/sdk'
import { A2AError, RequestMalformedError, VersionNotSupportedError } from '@a2a-js/sdk/errors'
import { JsonRpcTransportHandler, ServerCallContext } from '@a2a-js/sdk/server'
import { AppError } from '../../foundation/kernel/errors.ts'
import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { A2aOffer } from '../../foundation/platform/config/a2a-settings.ts'
import type { Database } from '../../foundation/platform/database/database.ts'
import { mayUse, type Principal } from '../../foundation/platform/http/principal.ts'
import { type RelayReply, type Route, route } from '../../foundation/platform/http/route.ts'
import type { PushInbox } from '../../orchestration/agents/a2a/push-inbox.ts'
import { callAgent, receiveNotification, showCard, showFirstCard, showPublishedCard } from './a2a-contract.ts'
import { a2aServerErrors } from './a2a-server-errors.ts'
import { OfferHandler } from './offer-handler.ts'
import type { OfferService, RunsBehind } from './offer-service.ts'
import { cardJson, cardOf, type OfferDetails } from './offered-agent.ts'
import type { PushConfigs } from './push-configs.ts'
import type { TaskFollower } from './task-follower.ts'

export interface A2aRoutesOptions {
  readonly database: Database
  /** What the configuration offers to everybody. */
  readonly offers: readonly A2aOffer[]
  /** What a tenant has published in its registry of its own agents; null: nothing of this name. */
  readonly published: (tenant: TenantId, name: string) => Promise<A2aOffer | null>
  readonly service: OfferService
  readonly runs: RunsBehind
  readonly follower: TaskFollower
  readonly pushes: PushConfigs
  readonly inbox: PushInbox
  readonly baseUrl: () => string
  /** Of this program. */
  readonly version: string
  /** What only those see who may come in. */
  readonly detailsOf: (offer: A2aOffer) => Promise<OfferDetails>
}

/** Our agents as others reach them over A2A, and where remote agents tell us of news. */
export function a2aRoutes(options: A2aRoutesOptions): Route[] {
  const { offers, baseUrl, version, inbox } = options
  const find = (name: string | undefined): A2aOffer => {
    const offer = name === undefined ? offers[0] : offers.find((each) => each.name === name)
    if (offer !== undefined) return offer
    throw a2aServerErrors['a2a-agent-not-found'](
      name === undefined ? 'no agent is offered here' : `no agent ${name} is offered here`,
    )
  }
  /** The configuration goes first: a tenant cannot take the place of what it offers. */
  const findFor = async (tenant: TenantId, name: string): Promise<A2aOffer> =>
    offers.find((each) => each.name === name) ?? (await options.published(tenant, name)) ?? find(name)
  const show = (offer: A2aOffer) => cardJson(cardOf(offer, baseUrl(), version, null))
  return [
    route({ ...showFirstCard, permission: 'public', handle: async () => show(find(undefined)) }),
    route({ ...showCard, permission: 'public', handle: async ({ params }) => show(find(params.agent)) }),
    route({
      ...receiveNotification,
      permission: 'public',
      rawBody: true,
      handle: async ({ headers, rawBody }) => {
        const notified = await inbox.receive(tokenOf(headers), rawBody!)
        if (notified === 'unauthenticated')
          throw a2aServerErrors['a2a-notification-refused']('the notification carries no token of ours')
        if (notified === 'late')
          throw a2aServerErrors['a2a-notification-late']('the attempt that waited for it has ended')
        return { status: notified === 'woken' ? ('accepted' as const) : ('duplicate' as const) }
      },
    }),
    route({
      ...callAgent,
      permission: 'runs:read',
      rawBody: true,
      handle: async ({ params, principal, rawBody, headers, signal }) =>
        call(options, await findFor(principal.tenant, params.agent), principal, rawBody!, headers, signal),
    }),
    route({
      ...showPublishedCard,
      permission: 'registry:read',
      handle: async ({ params, principal }) => {
        const offer = await options.published(principal.tenant, params.agent)
        return show(offer ?? find(params.agent))
      },
    }),
  ]
}

type Headers = Readonly<Record<string, string | string[] | undefined>>

function tokenOf(headers: Headers): string | null {
  const bearer = /^Bearer (\S+)$/i.exec(String(headers.authorization ?? ''))?.[1]
  return bearer ?? (headers['x-a2a-notification-token'] as string | undefined) ?? null
}

async function call(
  options: A2aRoutesOptions,
  offer: A2aOffer,
  principal: Principal,
  body: Buffer,
  headers: Headers,
  signal: AbortSignal,
): Promise<RelayReply> {
  const { database, service, runs, follower, pushes, baseUrl, version, detailsOf } = options
  const card = async (): Promise<AgentCard> => cardOf(offer, baseUrl(), version, null)
  const handler = new OfferHandler({
    ...{ database, service, runs, follower, pushes, offer, signal, card },
    baseUrl: baseUrl(),
    caller: {
      tenant: principal.tenant,
      id: principal.id,
      mayWrite: mayUse(principal, 'runs:write'),
      mayAnswer: mayUse(principal, 'approvals:write'),
    },
    extendedCard: async () => cardOf(offer, baseUrl(), version, await detailsOf(offer)),
  })
  const asked = headers['a2a-version']
  // Who names no version speaks 0.3, says the protocol.
  const requestedVersion = typeof asked === 'string' && asked !== '' ? asked : '0.3'
  const told = jsonOf(body)
  const id = (told as { id?: string | number | null } | null)?.id ?? null
  const fail = (error: unknown): RelayReply => json({ jsonrpc: '2.0', id, error: toRpc(error) })
  if (requestedVersion.split('.')[0] !== A2A_PROTOCOL_VERSION.split('.')[0]) {
    return fail(new VersionNotSupportedError(`${requestedVersion} is not spoken here, ${A2A_PROTOCOL_VERSION} is`))
  }
  const tenant = (told as { params?: { tenant?: unknown } } | null)?.params?.tenant
  if (tenant !== undefined && tenant !== '' && tenant !== principal.tenant) {
    return fail(new RequestMalformedError('the key is not one of this tenant'))
  }
  const context = new ServerCallContext({ requestedVersion })
  const result = await new JsonRpcTransportHandler(withOurErrors(handler)).handle(told ?? body.toString(), context)
  if (!(Symbol.asyncIterator in result)) return json(result)
  // What is refused at once is told as such, not within a stream.
  const first = await result.next().catch((error: unknown) => ({ error }))
  if ('error' in first) return fail(first.error)
  return { status: 200, headers: { ...lowerCase(SSE_HEADERS) }, body: events(first, result) }

  async function* events(begun: IteratorResult<unknown>, rest: AsyncGenerator<unknown>) {
    try {
      for (let item = begun; item.done !== true; item = await rest.next()) yield formatSSEEvent(item.value as never)
    } catch (error) {
      if (!signal.aborted) yield formatSSEErrorEvent({ jsonrpc: '2.0', id, error: toRpc(error) } as never)
    } finally {
      await rest.return(undefined)
    }
  }
}

/** Errors of ours in the words of the protocol: the SDK knows only its own. */
function withOurErrors(handler: OfferHandler): OfferHandler {
  return new Proxy(handler, {
    get(target, name) {
      const member = Reflect.get(target, name) as unknown
      if (typeof member !== 'function') return member
      return (...args: unknown[]) => {
        const result = member.apply(target, args) as unknown
        return result instanceof Promise ? result.catch((error: unknown) => Promise.reject(toA2a(error))) : result
      }
    },
  })
}

function toA2a(error: unknown): unknown {
  if (!(error instanceof AppError)) return error
  if (error.kind === 'input' || error.kind === 'not-found' || error.kind === 'conflict') {
    return new RequestMalformedError({ message: `${error.code}: ${error.message}`, cause: error })
  }
  const message = error.kind === 'internal' ? error.code : `${error.code}: ${error.message}`
  return new A2AError({ message, cause: error })
}

function toRpc(error: unknown) {
  return JsonRpcTransportHandler.mapToJSONRPCError(toA2a(error))
}

function json(body: unknown): RelayReply {
  return { status: 200, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
}

/** Null where it is none: the SDK says what is wrong with it. */
function jsonOf(body: Buffer): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'))
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null
  } catch {
    return null
  }
}

function lowerCase(headers: Readonly<Record<string, string>>): Record<string, string> {
  const kept = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value] as const)
  return Object.fromEntries(kept.filter(([name]) => name !== 'connection'))
}
