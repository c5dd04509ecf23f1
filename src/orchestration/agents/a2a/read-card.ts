import { A2A_PROTOCOL_VERSION, A2A_VERSION_HEADER, AGENT_CARD_PATH, AgentCard, type AgentInterface } from '@a2a-js/sdk'
import { isAppError } from '../../../foundation/kernel/errors.ts'
import { z } from '../../../foundation/kernel/schema.ts'
import { sessionErrors } from '../sessions/session-errors.ts'
import { a2aErrors } from './a2a-errors.ts'
import { capabilitiesOfCard } from './card-capabilities.ts'

/** A remote agent as its card tells of it, checked. */
export interface RemoteAgent {
  readonly card: AgentCard
  /** As it came. */
  readonly raw: unknown
  /** Where the card is. */
  readonly url: string
  /** The interface that we speak. */
  readonly endpoint: AgentInterface
  readonly streaming: boolean
  readonly push: boolean
  /** In our vocabulary. */
  readonly capabilities: readonly string[]
}

export interface ReadCardOptions {
  readonly fetch: typeof globalThis.fetch
  /** Of the card, or of the site it is the card of. */
  readonly url: string
  /** Where the agent may live besides the origin of its card. */
  readonly origins?: readonly string[]
  readonly headers?: Readonly<Record<string, string>>
  readonly signal: AbortSignal
}

const text = (most: number) => z.string().max(most)
const texts = z.array(text(2_000)).max(500)

/** What a card must be for us; the rest is the protocol's. */
const cardSchema = z.object({
  name: text(500).min(1),
  description: text(20_000).optional(),
  version: text(200).optional(),
  supportedInterfaces: z
    .array(z.object({ url: text(2_000).min(1), protocolBinding: text(100), protocolVersion: text(50) }))
    .min(1)
    .max(50),
  capabilities: z
    .object({
      streaming: z.boolean().optional(),
      pushNotifications: z.boolean().optional(),
      extensions: z
        .array(z.object({ uri: text(2_000), required: z.boolean().optional() }))
        .max(100)
        .optional(),
    })
    .optional(),
  skills: z
    .array(z.object({ id: text(500).min(1), name: text(500).optional(), tags: texts.optional() }))
    .max(1_000)
    .optional(),
})

const bindings = ['JSONRPC', 'HTTP+JSON']
const longestCard = 1_048_576

/** The address of the card: as it is given where it names a document, else at the well-known place of the site. */
export function cardUrl(given: string): string {
  const url = new URL(given)
  return url.pathname.endsWith('.json') ? url.href : new URL(AGENT_CARD_PATH, url.href.replace(/\/*$/, '/')).href
}

/** Fetches a card and checks it. Throws `agent-card-invalid`, `agent-auth`, and what the fetch throws. */
export async function readCard(options: ReadCardOptions): Promise<RemoteAgent> {
  const { signal, headers = {} } = options
  const url = cardUrl(options.url)
  const answer = await options.fetch(url, {
    headers: { ...headers, accept: 'application/json', [A2A_VERSION_HEADER]: A2A_PROTOCOL_VERSION },
    signal,
  })
  const body = await answer.text()
  const { status } = answer
  if (status === 401 || status === 403) throw sessionErrors['agent-auth'](`${url} answers ${status}`)
  if (status === 429 || status >= 500) throw sessionErrors['agent-unreachable'](`${url} answers ${status}`)
  if (!answer.ok) throw a2aErrors['agent-card-invalid'](`${url} answers ${status}`)
  if (body.length > longestCard) throw a2aErrors['agent-card-invalid'](`the card is longer than ${longestCard} bytes`)
  return checkCard(url, jsonOf(url, body), options.origins ?? [])
}

/** Reads a card that was fetched from `url`. Throws `agent-card-invalid`. */
export function checkCard(url: string, raw: unknown, origins: readonly string[] = []): RemoteAgent {
  const parsed = cardSchema.safeParse(raw)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    throw a2aErrors['agent-card-invalid'](`the card at ${url}: ${issue?.path.join('.')}: ${issue?.message}`)
  }
  const card = cardFrom(url, raw)
  const spoken = card.supportedInterfaces.filter(
    ({ protocolBinding, protocolVersion }) =>
      bindings.includes(protocolBinding) && protocolVersion.split('.')[0] === A2A_PROTOCOL_VERSION.split('.')[0],
  )
  if (spoken.length === 0) {
    const offered = card.supportedInterfaces.map((each) => `${each.protocolBinding} ${each.protocolVersion}`).join(', ')
    throw a2aErrors['agent-card-invalid'](
      `the card at ${url} offers ${offered}; spoken here is ${bindings.join(' or ')} of version ${A2A_PROTOCOL_VERSION}`,
    )
  }
  const required = card.capabilities?.extensions.find((extension) => extension.required)
  if (required !== undefined) {
    throw a2aErrors['agent-card-invalid'](`the card at ${url} requires the extension ${required.uri}, unknown here`)
  }
  // What we know the agent by must not go to whomever the card names.
  const trusted = [new URL(url).origin, ...origins]
  const endpoint = spoken.find((each) => URL.canParse(each.url) && trusted.includes(new URL(each.url).origin))
  if (endpoint === undefined) {
    throw a2aErrors['agent-card-invalid'](`the card at ${url} names an agent at ${spoken[0]!.url}, another origin`)
  }
  return {
    ...{ card, raw, url, endpoint },
    streaming: card.capabilities?.streaming === true,
    push: card.capabilities?.pushNotifications === true,
    capabilities: capabilitiesOfCard(card),
  }
}

function cardFrom(url: string, raw: unknown): AgentCard {
  try {
    return AgentCard.fromJSON(raw as never)
  } catch (error) {
    if (isAppError(error)) throw error
    throw a2aErrors['agent-card-invalid'](`the card at ${url} cannot be read: ${(error as Error).message}`)
  }
}

function jsonOf(url: string, body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    throw a2aErrors['agent-card-invalid'](`what is at ${url} is no JSON`)
  }
}
