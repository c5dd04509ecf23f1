import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { Database } from '../../foundation/platform/database/database.ts'
import { appendEvents, type NewEvent } from '../../foundation/runtime/event-log.ts'
import { type CallsOnSubscriptions, drawCalls } from './calls-on-subscriptions.ts'
import { type CallContents, insertCalls, insertContents, type ModelCall, readSettings } from './calls-store.ts'
import type { ModelSettings } from './models-contract.ts'

export interface RecorderOptions {
  readonly database: Database
  /** Absent: all calls are paid one by one. */
  readonly subscriptions?: CallsOnSubscriptions
  readonly onCommit?: () => void
  readonly onError: (error: unknown) => void
}

const mostBatch = 500
const gatherMs = 100
/** A process that cannot write keeps no more than this many calls. */
const mostQueued = 20_000
const mostText = 1_048_576
const rememberSettingsMs = 5_000

/**
 * Writes what calls took, with an event each, those of a moment in one transaction. The ledger has counted them before: what
 * is lost here with a process is missing in the lists, never in a budget.
 */
export class CallRecorder implements AsyncDisposable {
  readonly #options: RecorderOptions
  #queue: { readonly call: ModelCall; readonly contents: CallContents | null }[] = []
  #writing: Promise<void> | null = null
  #flushing = false
  #hurry = () => {}
  readonly #settings = new Map<TenantId, { readonly until: number; readonly read: Promise<ModelSettings> }>()

  constructor(options: RecorderOptions) {
    this.#options = options
  }

  /** Whether the tenant wants contents kept; looked up again after some seconds. */
  settingsOf(tenant: TenantId): Promise<ModelSettings> {
    const { database } = this.#options
    const at = database.clock.monotonic()
    const known = this.#settings.get(tenant)
    if (known !== undefined && known.until > at) return known.read
    const read = database.forTenant(tenant).read((tx) => readSettings(tx, tenant))
    this.#settings.set(tenant, { until: at + rememberSettingsMs, read })
    read.catch(() => this.#settings.delete(tenant))
    return read
  }

  forget(tenant: TenantId): void {
    this.#settings.delete(tenant)
  }

  add(
    call: ModelCall,
    said: { readonly request: string; readonly answer: string; readonly days: number } | null,
  ): void {
    if (this.#queue.length >= mostQueued) {
      this.#queue.shift()
      this.#options.onError(new Error('a model call is missing in the lists: the database does not keep up'))
    }
    this.#queue.push({ call, contents: said === null ? null : contentsOf(call, said) })
    this.#writing ??= this.#write().finally(() => {
      this.#writing = null
    })
  }

  /** Waits until everything is written. */
  async flush(): Promise<void> {
    this.#flushing = true
    this.#hurry()
    while (this.#writing !== null) await this.#writing
    this.#flushing = false
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.flush()
  }

  #gather(): Promise<void> {
    if (this.#flushing) return Promise.resolve()
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(), gatherMs)
      this.#hurry = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  async #write(): Promise<void> {
    const { database, subscriptions, onCommit, onError } = this.#options
    while (this.#queue.length > 0) {
      // Calls that end in the same moment go together: nobody waits for this.
      await this.#gather()
      const batch = this.#queue.splice(0, mostBatch)
      try {
        const calls = batch.map(({ call }) => call)
        await database.asSystem('model-calls').write(async (tx) => {
          await insertCalls(tx, calls)
          if (subscriptions !== undefined) await drawCalls(tx, subscriptions, calls, database.clock.now())
          const contents = batch.flatMap((one) => (one.contents === null ? [] : [one.contents]))
          if (contents.length > 0) await insertContents(tx, contents)
          await appendEvents(tx, calls.map(eventOf))
          if (onCommit !== undefined) tx.afterCommit(onCommit)
        })
      } catch (error) {
        onError(error)
      }
    }
  }
}

/** What was called, what it took and what it cost; never what was said. */
function eventOf(call: ModelCall): NewEvent {
  const { tenant, id, runId, startedAt: _startedAt, endedAt, ...data } = call
  return {
    tenant,
    type: `model-call.${call.outcome}`,
    subject: { kind: 'model-call', id, rev: 1 },
    runId,
    at: endedAt,
    data,
  }
}

function contentsOf(
  { tenant, id, endedAt }: ModelCall,
  { request, answer, days }: { readonly request: string; readonly answer: string; readonly days: number },
): CallContents {
  const texts = [request, answer].map((text) => text.slice(0, mostText).toWellFormed().replaceAll('\0', '\ufffd'))
  return {
    ...{ tenant, callId: id, request: texts[0]!, answer: texts[1]! },
    cut: request.length > mostText || answer.length > mostText,
    keptUntil: new Date(endedAt.getTime() + days * 86_400_000),
  }
}
