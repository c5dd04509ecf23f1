import { hash } from 'node:crypto'
import { AppError } from '../../../foundation/kernel/errors.ts'
import type { JsonObject, JsonValue } from '../../../foundation/kernel/json.ts'
import type { Database } from '../../../foundation/platform/database/database.ts'
import type { LimitState } from '../../../foundation/platform/http/front-door.ts'
import { coalesce } from '../coalesce.ts'
import { webhookErrors } from '../webhook-errors.ts'
import { namesIn, parseBody } from './parse-body.ts'
import { verifierOf } from './presets.ts'
import { insertReceipts, judgeReceipts, type NewReceipt, type Stored } from './receipts-store.ts'
import { digestOf, type Headers, headerOf, type IncomingWebhook, type Verify } from './signed-request.ts'
import type { RateAnswer, TakeRate } from './sliding-window.ts'
import type { Source } from './source.ts'
import type { SourceCache } from './source-cache.ts'
import type { SecretsOf } from './source-secrets.ts'

export interface ReceiverOptions {
  readonly database: Database
  readonly sources: SourceCache
  readonly secretsOf: SecretsOf
  readonly takeRate: TakeRate
  /** Called when new receipts wait to be routed. */
  readonly onStored: () => void
}

/** What the sender is told. */
export type Accepted =
  | { readonly status: 'accepted' | 'duplicate'; readonly id: string }
  /** Slack asks for it when an address is entered. */
  | { readonly challenge: string }

/** The way of a webhook from its first byte to the disk. Each refusal is an error with a code; nothing is half accepted. */
export class Receiver {
  readonly #options: ReceiverOptions
  readonly #store: (receipt: NewReceipt) => Promise<Stored>

  constructor(options: ReceiverOptions) {
    this.#options = options
    const system = options.database.asSystem('webhook-receipts')
    const store = async (receipts: readonly NewReceipt[]): Promise<readonly Stored[]> => {
      const isNew = await system.write((tx) => insertReceipts(tx, receipts))
      if (isNew.size === receipts.length) return receipts.map(() => 'new')
      return system.read((tx) => judgeReceipts(tx, receipts, isNew))
    }
    this.#store = coalesce(store, { most: 500, lanes: 2 })
  }

  /**
   * Whether anything may be sent to an address now. Throws `webhook-unknown`, `webhook-rate-limited`, `webhooks-stopped`.
   */
  async admit(id: string, address: string, tellLimit: (state: LimitState) => void): Promise<Source> {
    const found = await this.#stored(this.#options.sources.find(id))
    // Told alike, so that nobody learns which addresses once were some.
    if (found === null || !found.source.enabled) throw webhookErrors['webhook-unknown']('no source has this address')
    const { source } = found
    const answer = await this.#options.takeRate(`webhook:${source.id}:${address}`, source.rate)
    tellLimit(stateOf(source, answer))
    if (!answer.allowed) {
      throw webhookErrors['webhook-rate-limited'](
        `more than ${source.rate.limit} requests in ${source.rate.seconds} s from one address`,
        { details: { retryAfterMs: answer.resetMs } },
      )
    }
    if (found.stopped) {
      throw webhookErrors['webhooks-stopped']('webhooks are stopped', { details: { retryAfterMs: 60_000 } })
    }
    return source
  }

  /** Verifies, reads and stores; what it returns is on disk. */
  async receive(source: Source, request: IncomingWebhook): Promise<Accepted> {
    const { database, secretsOf, onStored } = this.#options
    const secrets = await secretsOf(source)
    const now = database.clock.now()
    const verified = verifyFor(source)(request, secrets, now.getTime())
    const content = parseBody(request.body, headerOf(request.headers, 'content-type'))
    const challenge = source.preset === 'slack' ? challengeIn(content.value) : null
    if (challenge !== null) return { challenge }

    const names = namesIn(content.value)
    const deliveryId = verified.deliveryId ?? names.id ?? verified.signed ?? digestOf(request.body)
    const type = verified.type ?? names.type
    const receipt: NewReceipt = {
      tenant: source.tenant,
      id: receiptId(source.id, deliveryId),
      sourceId: source.id,
      deliveryId: deliveryId.slice(0, 200),
      signed: verified.signed,
      headers: { ...keptHeaders(request.headers), ...(type === null ? {} : { [typeHeader]: type }) },
      body: content.json,
      receivedAt: now,
    }
    const stored = await this.#stored(this.#store(receipt))
    if (stored === 'replayed') {
      throw webhookErrors['webhook-replayed']('what was signed has been received before under another delivery id')
    }
    if (stored === 'new') onStored()
    return { status: stored === 'new' ? 'accepted' : 'duplicate', id: receipt.id }
  }

  /** A database that is away is told as such: the sender must repeat, since nothing was kept. */
  async #stored<T>(work: Promise<T>): Promise<T> {
    try {
      return await work
    } catch (cause) {
      if (cause instanceof AppError && cause.kind !== 'unavailable') throw cause
      throw webhookErrors['webhook-not-stored']('the webhook could not be stored', {
        cause,
        details: { retryAfterMs: 5_000 },
      })
    }
  }
}

const verifiers = new WeakMap<Source, Verify>()

function verifyFor(source: Source): Verify {
  const known = verifiers.get(source)
  if (known !== undefined) return known
  const { toleranceSeconds, hmac } = source.options
  const verify = verifierOf(source.preset, { toleranceMs: toleranceSeconds * 1_000, hmac })
  verifiers.set(source, verify)
  return verify
}

/** Under this name rules find what happened, whatever the sender calls its header. */
export const typeHeader = 'webhook-event-type'

/** The same delivery of the same source has the same id, in every process. */
export function receiptId(sourceId: string, deliveryId: string): string {
  return `whr_${hash('sha256', `${sourceId}\0${deliveryId}`, 'base64url').slice(0, 24)}`
}

const secretHeaders =
  /^(authorization|proxy-authorization|cookie|x-gitlab-token|connection|host|content-length)$|signature/

/** The headers that rules may look at: text, and nothing that is or proves a secret. */
function keptHeaders(headers: Headers): Record<string, string> {
  const kept: Record<string, string> = {}
  for (const name in headers) {
    const value = headers[name]
    if (typeof value === 'string' && value.length <= 2_000 && !isSecret(name)) kept[name] = value
  }
  return kept
}

/** Senders name the same few headers each time. */
const judged = new Map<string, boolean>()

function isSecret(name: string): boolean {
  const known = judged.get(name)
  if (known !== undefined) return known
  const secret = secretHeaders.test(name)
  if (judged.size < 1_000) judged.set(name, secret)
  return secret
}

function challengeIn(content: JsonValue): string | null {
  const fields = typeof content === 'object' && content !== null ? (content as JsonObject) : {}
  return fields.type === 'url_verification' && typeof fields.challenge === 'string' ? fields.challenge : null
}

function stateOf({ rate }: Source, { remaining }: RateAnswer): LimitState {
  const { limit, seconds } = rate
  const resetSeconds = ((limit - remaining) * seconds) / limit
  return { name: 'ingress', quota: limit, windowSeconds: seconds, remaining, resetSeconds }
}
