import { isDeepStrictEqual } from 'node:util'
import type { TenantId } from '../../../foundation/kernel/ids.ts'
import type { JsonValue } from '../../../foundation/kernel/json.ts'
import { type Random, systemRandom } from '../../../foundation/kernel/random.ts'
import type { Database, ReadTx, Tx } from '../../../foundation/platform/database/database.ts'
import type { Assignment } from '../../runners/exchange-contract.ts'
import { pause } from '../sessions/pause.ts'
import { isSigned, readToken, signToken } from './callback-token.ts'
import { httpAgentErrors } from './http-errors.ts'
import type { ServiceCallView, ServiceMessage } from './service-calls-contract.ts'
import {
  answersOf,
  closeCalls,
  findCall,
  findCallOfLease,
  forgetCalls,
  insertCall,
  insertMessage,
  keepAccepted,
  keepAnswer,
  lastEnd,
  lockCall,
  lockOpenCalls,
  messagesAfter as messagesAfterSeq,
  type ServiceCallRow,
  type StoredMessage,
  takeOverCall,
} from './service-calls-store.ts'

/** How the runs part sees a task. */
export interface TaskStanding {
  readonly live: boolean
  readonly fence: number
  readonly pool: string
  readonly ended: boolean
}

export interface ServiceCallsOptions {
  readonly database: Database
  readonly leaseOf: (tx: ReadTx, tenant: TenantId, taskId: string) => Promise<TaskStanding | null>
  readonly random?: Random
  /** Between two looks where no hint comes, ms. Default 5,000. */
  readonly pollMs?: number
}

/** Work that a service does for an attempt, as the attempt sees it. */
export interface OpenedCall {
  /** Names it towards the service: the attempt that began it. */
  readonly id: string
  readonly token: string
  /** What the service answered a former attempt that began this work; null: nobody knows of an answer. */
  readonly accepted: { readonly answer: JsonValue } | null
  keepAccepted(answer: JsonValue): Promise<void>
  /** What was told and not given out yet, at most 100; waits until there is something. */
  next(signal: AbortSignal): Promise<readonly StoredMessage[]>
  /** What was told after the message `seq`, at most 100; waits likewise. */
  messagesAfter(seq: number, signal: AbortSignal): Promise<readonly StoredMessage[]>
  answer(seq: number, answer: JsonValue): Promise<void>
  /** From here on whatever the service tells is refused with this reason. */
  close(reason: string): Promise<void>
}

const channel = 'service-calls'
const mostMessages = 10_000
const keepMs = 7 * 86_400_000

/**
 * What services tell of the work they do for attempts. It is kept, so that it reaches the attempt in whatever process that
 * is, and the next attempt when that process has died; it is refused as soon as nobody waits for it.
 */
export class ServiceCalls implements Disposable {
  readonly #options: ServiceCallsOptions
  readonly #waiting = new Map<string, () => void>()
  readonly #unlisten: () => void

  constructor(options: ServiceCallsOptions) {
    this.#options = options
    this.#unlisten = options.database.listen(channel, (id) => this.#waiting.get(id)?.())
  }

  [Symbol.dispose](): void {
    this.#unlisten()
  }

  /** Begins the work of an attempt, or takes over what a lost attempt of its task has begun. */
  async open(
    assignment: Pick<Assignment, 'tenant' | 'taskId' | 'fence' | 'runId' | 'attempt'>,
    { pool, resume, forMs }: { readonly pool: string; readonly resume: boolean; readonly forMs: number },
  ): Promise<OpenedCall> {
    const { database, random = systemRandom } = this.#options
    const { tenant, taskId, fence, runId, attempt } = assignment
    const row = await database.forTenant(tenant).write(async (tx) => {
      const now = database.clock.now()
      const expiresAt = new Date(now.getTime() + forMs)
      await forgetCalls(tx, tenant, new Date(now.getTime() - keepMs))
      const left = await lockOpenCalls(tx, tenant, taskId)
      const former = resume ? left.find((one) => one.resume && one.pool === pool && one.expiresAt > now) : undefined
      const others = left.filter((one) => one !== former).map(({ id }) => id)
      await closeCalls(
        tx,
        tenant,
        others,
        `the attempt was lost; attempt ${attempt} of the task has taken its place`,
        now,
      )
      if (former !== undefined) {
        await takeOverCall(tx, tenant, former.id, fence, expiresAt)
        return { ...former, fence }
      }
      const call = {
        id: `${taskId}.${fence}`,
        taskId,
        fence,
        runId,
        pool,
        resume,
        tokenKey: random.bytes(32),
        expiresAt,
      }
      await insertCall(tx, tenant, call, now)
      return { ...call, accepted: null }
    })
    return this.#opened(tenant, row)
  }

  /** The work that a service does for a lease; null: it does none, or it is over. */
  async ofLease(
    tenant: TenantId,
    lease: { readonly taskId: string; readonly fence: number },
  ): Promise<OpenedCall | null> {
    const row = await this.#options.database.forTenant(tenant).read((tx) => findCallOfLease(tx, tenant, lease))
    return row === null ? null : this.#opened(tenant, row)
  }

  /** Keeps what a service tells. Errors: `callback-unknown`, `callback-closed`, `callback-flood`. */
  async tell(token: string, message: ServiceMessage): Promise<'accepted' | 'duplicate'> {
    const { database } = this.#options
    const { tenant, id } = claimsOf(token)
    const told = await database.forTenant(tenant).write(async (tx) => {
      const now = database.clock.now()
      const call = believed(token, await lockCall(tx, tenant, id))
      const end = await lastEnd(tx, tenant, id)
      if (end !== null) {
        if (isDeepStrictEqual(end, message)) return 'duplicate'
        throw closed(`it has told its ${end.type} already`)
      }
      const reason = await this.#whyUnwanted(tx, tenant, call, now)
      if (reason !== null) throw closed(reason)
      // Its end can be told in any case.
      if (call.lastSeq >= mostMessages && message.type !== 'result' && message.type !== 'failure')
        throw httpAgentErrors['callback-flood'](`it has told ${mostMessages} times how it gets on`)
      return (await insertMessage(tx, tenant, call, message, now)) === null ? 'duplicate' : 'accepted'
    })
    if (told === 'accepted') {
      this.#waiting.get(id)?.()
      database.notify(channel, id)
    }
    return told
  }

  /** Errors: `callback-unknown`. */
  async show(token: string): Promise<ServiceCallView> {
    const { database } = this.#options
    const { tenant, id } = claimsOf(token)
    return database.forTenant(tenant).read(async (tx): Promise<ServiceCallView> => {
      const now = database.clock.now()
      const call = believed(token, await findCall(tx, tenant, id))
      const reason = await this.#whyUnwanted(tx, tenant, call, now)
      const answers = await answersOf(tx, tenant, id)
      return {
        state: reason === null ? 'open' : 'closed',
        reason,
        answers: answers.map(({ key, answer }) => ({ id: key, ...(answer as AnswerOf) })),
      }
    })
  }

  /** Null: an attempt waits for it, or one that will take it over. */
  async #whyUnwanted(tx: ReadTx, tenant: TenantId, call: ServiceCallRow, now: Date): Promise<string | null> {
    if (call.closedAt !== null) return call.closedReason ?? 'it is over'
    if (call.expiresAt <= now) return 'its time is up'
    const task = await this.#options.leaseOf(tx, tenant, call.taskId)
    if (task === null || task.ended) return 'the task is over'
    if (task.live && task.fence === call.fence) return null
    if (!call.resume) return 'the attempt was lost'
    if (task.live && task.pool !== call.pool) return 'the attempt was lost, and the task was given to another agent'
    return null
  }

  #opened(tenant: TenantId, row: Pick<ServiceCallRow, 'id' | 'tokenKey' | 'accepted' | 'expiresAt'>): OpenedCall {
    const { database, pollMs = 5_000 } = this.#options
    const { id } = row
    const scope = database.forTenant(tenant)
    let taken = 0
    const messagesAfter = async (seq: number, signal: AbortSignal) => {
      for (;;) {
        signal.throwIfAborted()
        const hint = Promise.withResolvers<void>()
        this.#waiting.set(id, hint.resolve)
        const found = await scope.read((tx) => messagesAfterSeq(tx, tenant, id, seq, 100))
        if (found.length > 0) return found
        const over = new AbortController()
        const timer = pause(pollMs, AbortSignal.any([signal, over.signal]))
        try {
          await Promise.race([hint.promise, timer])
        } finally {
          over.abort()
          timer.catch(() => {})
        }
      }
    }
    return {
      ...{ id, accepted: row.accepted },
      token: signToken({ tenant, id, expiresAt: row.expiresAt.getTime() }, row.tokenKey),
      keepAccepted: (answer) => scope.write((tx) => keepAccepted(tx, tenant, id, answer)),
      messagesAfter,
      next: async (signal) => {
        const found = await messagesAfter(taken, signal)
        taken = found.at(-1)!.seq
        return found
      },
      answer: (seq, answer) => scope.write((tx) => keepAnswer(tx, tenant, id, seq, answer)),
      close: async (reason) => {
        this.#waiting.delete(id)
        await scope.write((tx: Tx) => closeCalls(tx, tenant, [id], reason, database.clock.now()))
      },
    }
  }
}

type AnswerOf = Omit<ServiceCallView['answers'][number], 'id'>

function claimsOf(token: string): { readonly tenant: TenantId; readonly id: string } {
  const claims = readToken(token)
  if (claims === null) throw unknown()
  return { tenant: claims.tenant as TenantId, id: claims.id }
}

function believed(token: string, row: ServiceCallRow | null): ServiceCallRow {
  if (row === null || !isSigned(token, row.tokenKey)) throw unknown()
  return row
}

function unknown() {
  return httpAgentErrors['callback-unknown']('nothing is known of this address')
}

function closed(reason: string) {
  return httpAgentErrors['callback-closed'](`nobody waits for this any more: ${reason}`, { details: { reason } })
}
