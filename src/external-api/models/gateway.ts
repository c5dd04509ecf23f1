import { AppError } from '../../foundation/kernel/errors.ts'
import { type IdSource, systemIds, type TenantId } from '../../foundation/kernel/ids.ts'
import type { ModelPrice } from '../../foundation/kernel/model-price.ts'
import type { ModelsConfig } from '../../foundation/platform/config/models.ts'
import type { Database } from '../../foundation/platform/database/database.ts'
import { httpErrors } from '../../foundation/platform/http/http-errors.ts'
import { parseJsonBody } from '../../foundation/platform/http/json-body.ts'
import type { RelayReply } from '../../foundation/platform/http/route.ts'
import type { SpenderPort } from '../../orchestration/budgets/spender-port.ts'
import type { QuotaBrokerPort } from '../../orchestration/quotas/quota-port.ts'
import { AccountKeys } from './account-keys.ts'
import { type CallHold, CallHolds, type CallHoldsOptions } from './call-holds.ts'
import { fits, type ModelCatalog } from './catalog.ts'
import type { ModelKeyRow } from './keys/keys-store.ts'
import { ModelCallRun, type Retryable } from './model-call-run.ts'
import { modelErrors } from './models-errors.ts'
import { modelOf, type Outgoing, prepare } from './outgoing.ts'
import type { CallRecorder } from './recorder.ts'
import { createUpstream, type Upstream } from './upstream.ts'
import { type Fields, fieldsOf } from './wire/fields.ts'
import type { WireName } from './wire/wire.ts'
import type { CostAt } from './worst-case.ts'

export interface ModelGatewayOptions {
  readonly database: Database
  readonly config: ModelsConfig
  readonly catalog: ModelCatalog
  readonly spender: SpenderPort
  readonly quotas: QuotaBrokerPort
  /** The tenant under whose name the accounts of the configuration have their quotas. */
  readonly accountsOf: TenantId
  readonly priceOf: (model: string, at: Date) => ModelPrice | null
  readonly costAt: CostAt
  readonly leftOf: CallHoldsOptions['leftOf']
  readonly readSecret: (name: string) => Promise<string>
  readonly recorder: CallRecorder
  /** A caller is busy from so many calls a second on. Default 4. */
  readonly busyFrom?: number
  readonly ids?: IdSource
  readonly onError: (error: unknown) => void
  /** Told of accounts that fail. */
  readonly onWarning: (fields: object, message: string) => void
}

/** A call as it came in. */
export interface AskedCall {
  readonly wire: WireName
  readonly tenant: TenantId
  /** The model key of the caller; null: it has another kind of key, and spends for the tenant alone. */
  readonly key: ModelKeyRow | null
  readonly keyId: string | null
  readonly headers: Fields
  readonly body: Uint8Array
  readonly requestId: string
  /** Told once the call counts, so that no repeat of the request makes another one. */
  readonly tookEffect: () => void
  /** Aborts when the client goes away. */
  readonly signal: AbortSignal
}

/** Takes model calls, holds what they can cost, and passes them on to whichever account can take them. */
export class ModelGateway implements AsyncDisposable {
  readonly #options: ModelGatewayOptions
  readonly #upstream: Upstream = createUpstream()
  readonly #keys: AccountKeys
  readonly #holds: CallHolds
  /** Settlements under way: nobody waits for them but the end of the process. */
  readonly #open = new Set<Promise<void>>()

  constructor(options: ModelGatewayOptions) {
    this.#options = options
    const { database, config, spender, costAt, leftOf, busyFrom, onError } = options
    this.#keys = new AccountKeys(options.readSecret, database.clock)
    this.#holds = new CallHolds({
      ...{ spender, costAt, leftOf, onError, clock: database.clock, waitMs: config.waitMs },
      ...(busyFrom === undefined ? {} : { busyFrom }),
    })
  }

  /**
   * Answers in the form of the request. Errors: `model-not-found`, `model-unpriced`, `model-request-invalid`,
   * `model-dialect-unsupported`, `model-busy`, `model-upstream-failed`, `model-account-unusable`, `budget-refused`.
   */
  async call(asked: AskedCall): Promise<RelayReply> {
    const { catalog, config, database } = this.#options
    const body = bodyOf(asked.body)
    const name = modelOf(body)
    const { key } = asked
    if (key?.models != null && !key.models.some((pattern) => fits(pattern, name)))
      throw modelErrors['model-not-found'](`this key may not use the model ${name}`)
    const targets = catalog.resolve(asked.tenant, name, asked.wire)
    const from = {
      ...{ asked: body, wire: asked.wire, headers: asked.headers, config },
      pricesOf: (model: string) => this.#pricesOf(model, config.accounts),
    }
    const run = new ModelCallRun({
      ...this.#options,
      ...{ asked, body, name, upstream: this.#upstream, keys: this.#keys },
      ids: this.#options.ids ?? systemIds,
      startedAt: database.clock.now(),
      spawn: (work) => this.#track(work),
    })
    return this.#attempts(asked, run, prepareAll(targets.map((target) => () => prepare(from, target))))
  }

  /** Waits until everything is settled and written. Calls must have ended. */
  async close(): Promise<void> {
    while (this.#open.size > 0) await Promise.all(this.#open)
    await this.#holds.close()
    await this.#options.recorder.flush()
    this.#upstream[Symbol.dispose]()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** A target that may have taken the call, and was lost, has had its hold: the next one gets its own. */
  async #attempts(asked: AskedCall, run: ModelCallRun, targets: readonly Outgoing[]): Promise<RelayReply> {
    let open = targets
    try {
      for (;;) {
        const hold = await this.#hold(asked, open)
        const result: RelayReply | Retryable = await run.perform(hold, hold?.targets ?? open)
        if (!('lost' in result)) return result
        open = open.filter((one) => one.target !== result.lost)
        if (open.length === 0) throw result.error
      }
    } catch (error) {
      if (!asked.signal.aborted || error instanceof AppError) throw error
      throw modelErrors['model-call-cut']('the caller went away', { cause: error })
    }
  }

  /** Counting tokens costs nothing, so nothing is held for it. */
  async #hold({ wire, tenant, key, signal }: AskedCall, targets: readonly Outgoing[]): Promise<CallHold | null> {
    if (wire === 'count') return null
    const scopes = Object.entries({
      ...{ team: key?.team, workflow: key?.workflow, run: key?.runId, task: key?.taskId, agent: key?.agentId },
    }).filter((entry): entry is [string, string] => typeof entry[1] === 'string')
    const by = { tenant, scopes: Object.fromEntries(scopes), attempt: key?.attempt ?? null }
    return this.#holds.hold(by, targets, signal)
  }

  /** Of now and of when it may end: a price may change in the middle. */
  #pricesOf(model: string, accounts: ModelsConfig['accounts']): readonly ModelPrice[] {
    const { database, priceOf } = this.#options
    const now = database.clock.now()
    const longest = Math.max(0, ...accounts.map(({ timeoutMs }) => timeoutMs))
    const prices = [now, new Date(now.getTime() + longest)].map((at) => priceOf(model, at))
    return prices.some((price) => price === null) ? [] : prices.filter((price) => price !== null)
  }

  #track(work: Promise<void>): void {
    const tracked = work.catch(this.#options.onError).finally(() => this.#open.delete(tracked))
    this.#open.add(tracked)
  }
}

function bodyOf(bytes: Uint8Array): Fields {
  const value = parseJsonBody(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'))
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw httpErrors['request-malformed']('the body is no JSON object')
  return fieldsOf(value)
}

/** Targets that cannot be asked in this way are left out, unless none can. */
function prepareAll(makers: readonly (() => Outgoing)[]): readonly Outgoing[] {
  const made: Outgoing[] = []
  let refusal: unknown = null
  for (const make of makers) {
    try {
      made.push(make())
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'model-dialect-unsupported') throw error
      refusal = error
    }
  }
  if (made.length === 0) throw refusal
  return made
}
