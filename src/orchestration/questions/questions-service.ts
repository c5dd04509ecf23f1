import { setTimeout as delay } from 'node:timers/promises'
import { type IdSource, systemIds, type TenantId } from '../../foundation/kernel/ids.ts'
import { type StateTable, transition } from '../../foundation/kernel/state-table.ts'
import type { Database, ReadTx, Tx } from '../../foundation/platform/database/database.ts'
import { appendEvents, type LoggedEvent } from '../../foundation/runtime/event-log.ts'
import { cancelTimers, setTimers, type TimerHandler } from '../../foundation/runtime/timers.ts'
import type { AskAnswer, AskPort, AskQuestion } from '../agents/ask-contract.ts'
import { type Experience, judgeShares } from '../gates/confidence-contract.ts'
import type { QuestionView } from './questions-contract.ts'
import { questionErrors } from './questions-errors.ts'
import {
  closeQuestion,
  findByKey,
  findPendingOfTasks,
  findQuestions,
  insertQuestion,
  lockQuestion,
  type QuestionRow,
  toQuestionView,
} from './questions-store.ts'

type QuestionEvent = 'answer' | 'expire' | 'withdraw'

export const questionStates: StateTable<QuestionView['state'], QuestionEvent> = {
  pending: { answer: 'answered', expire: 'expired', withdraw: 'withdrawn' },
  answered: { answer: null, expire: null, withdraw: null },
  expired: { answer: null, expire: null, withdraw: null },
  withdrawn: { answer: null, expire: null, withdraw: null },
}

export interface QuestionsServiceOptions {
  readonly database: Database
  readonly ids?: IdSource
  /** How long a question waits that does not say. Default 15 minutes. */
  readonly deadlineMs?: number
  /** What kind of agent asks, in which step of which workflow: for what is learned. Default: nothing is. */
  readonly kindOfWork?: (tx: ReadTx, tenant: TenantId, taskId: string) => Promise<string | null>
  readonly learning?: QuestionLearning
  /** Between two looks for an answer, while one is waited for. Default 1,000. */
  readonly pollMs?: number
}

/** How often the answer was what the agent would have done; the `approvals` part provides it. */
export interface QuestionLearning {
  experienceOf(tx: ReadTx, tenant: TenantId, keys: readonly string[]): Promise<ReadonlyMap<string, Experience>>
  insertSamples(
    tx: Tx,
    samples: readonly {
      readonly tenant: TenantId
      readonly id: string
      readonly key: string
      readonly runId: string
      readonly step: string
      readonly success: boolean | null
    }[],
    now: Date,
  ): Promise<void>
}

const usualDeadlineMs = 900_000

/** What agents at work ask people. Whoever asks waits here; whoever answers may be another process on the same database. */
export class QuestionsService implements AskPort {
  readonly #database: Database
  readonly #ids: IdSource
  readonly #deadlineMs: number
  readonly #pollMs: number
  readonly #options: QuestionsServiceOptions

  constructor(options: QuestionsServiceOptions) {
    this.#options = options
    this.#database = options.database
    this.#ids = options.ids ?? systemIds
    this.#deadlineMs = options.deadlineMs ?? usualDeadlineMs
    this.#pollMs = options.pollMs ?? 1_000
  }

  async ask(question: AskQuestion, signal: AbortSignal): Promise<AskAnswer> {
    const { tenant } = question
    let row = await this.#put(question)
    try {
      for (;;) {
        if (row.state !== 'pending') return answerOf(row)
        const left = row.deadline_at.getTime() - this.#database.clock.now().getTime()
        if (left <= 0) return answerOf(await this.#close(tenant, row.id, 'expire'))
        await delay(Math.min(this.#pollMs, left), undefined, { signal })
        const [found] = await this.#database.forTenant(tenant).read((tx) => findQuestions(tx, tenant, [row.id]))
        row = found ?? row
      }
    } catch (error) {
      if (signal.aborted) await this.#close(tenant, row.id, 'withdraw')
      throw signal.aborted ? signal.reason : error
    }
  }

  /** As `ask`, for at most `waitMs`. Null: nobody has answered yet; the question stays open for whoever asks it again. */
  async askFor(question: AskQuestion, waitMs: number, signal: AbortSignal): Promise<AskAnswer | null> {
    const { tenant } = question
    const row = await this.#put(question)
    const until = this.#database.clock.monotonic() + waitMs
    for (let now = row; ; ) {
      if (now.state !== 'pending') return answerOf(now)
      if (now.deadline_at <= this.#database.clock.now()) return answerOf(await this.#close(tenant, now.id, 'expire'))
      if (signal.aborted || this.#database.clock.monotonic() >= until) return null
      await delay(this.#pollMs, undefined, { signal }).catch(() => {})
      const [found] = await this.#database.forTenant(tenant).read((tx) => findQuestions(tx, tenant, [row.id]))
      now = found ?? now
    }
  }

  /** @throws question-not-found, question-closed, answer-invalid */
  async answer(
    tenant: TenantId,
    id: string,
    { choice = null, text = null, by }: { choice?: string | null; text?: string | null; by: string },
  ): Promise<QuestionView> {
    return this.#database.forTenant(tenant).write(async (tx) => {
      const now = this.#database.clock.now()
      const row = await lockQuestion(tx, tenant, id)
      if (row === undefined) throw questionErrors['question-not-found'](`there is no question ${id}`)
      const { state } = toQuestionView(row, now)
      if (state !== 'pending') throw questionErrors['question-closed'](`question ${id} is ${state}`)
      if (choice !== null && !row.choices.some((each) => each.id === choice)) {
        const known = row.choices.map((each) => each.id).join(', ')
        throw questionErrors['answer-invalid'](`${JSON.stringify(choice)} is none of its choices: ${known}`)
      }
      if (choice === null && !row.free_text) throw questionErrors['answer-invalid']('it takes a choice, no free words')
      await this.#end(tx, tenant, row, 'answer', { choice, text, by }, now)
      await this.#learn(tx, tenant, row, choice, now)
      const [after] = await findQuestions(tx, tenant, [id])
      return toQuestionView(after!, now)
    })
  }

  /** Closes what nobody answered, also where whoever asked is gone. */
  readonly deadlines: TimerHandler = async (tx, timers, now) => {
    for (const { tenant, subjectId } of timers) {
      const row = await lockQuestion(tx, tenant, subjectId)
      if (row?.state === 'pending') await this.#end(tx, tenant, row, 'expire', defaultOf(row), now)
    }
  }

  /** Reads the log: of attempts that have ended nobody waits for an answer. */
  readonly handle = async (tx: Tx, events: readonly LoggedEvent[], now: Date): Promise<void> => {
    const ended = events.filter(({ type }) => attemptEnds.has(type))
    for (const { tenant, id } of await findPendingOfTasks(tx, ended)) {
      const row = await lockQuestion(tx, tenant, id)
      if (row?.state === 'pending') await this.#end(tx, tenant, row, 'withdraw', null, now)
    }
  }

  async #put(question: AskQuestion): Promise<QuestionRow> {
    const { tenant, runId, step, kind, message, taskId } = question
    return this.#database.forTenant(tenant).write(async (tx) => {
      const now = this.#database.clock.now()
      const deadlineAt = new Date(now.getTime() + (question.deadlineMs ?? this.#deadlineMs))
      const id = await insertQuestion(tx, this.#ids.next('qst'), question, deadlineAt, now)
      if (id !== null) {
        await setTimers(tx, [{ tenant, id: timerOf(id), kind: 'question-deadline', subjectId: id, dueAt: deadlineAt }])
        await appendEvents(tx, [
          {
            ...{ tenant, runId, at: now, type: 'question.pending' },
            subject: { kind: 'question', id, rev: 1 },
            data: { step, taskId, kind, message, deadlineAt: deadlineAt.toISOString() },
          },
        ])
        await this.#answerByPolicy(tx, question, now)
      }
      return (await findByKey(tx, question))!
    })
  }

  /** An agent that is sure of what it would do needs nobody. What it may do is for people alone, however sure it is. */
  async #answerByPolicy(tx: Tx, question: AskQuestion, now: Date): Promise<void> {
    const { tenant, taskId, kind, confidence, risk = 0, defaultChoice } = question
    if (kind !== 'question' || confidence === undefined || defaultChoice === null) return
    const key = await this.#keyOf(tx, tenant, taskId)
    const learned = key === null ? undefined : (await this.#options.learning?.experienceOf(tx, tenant, [key]))?.get(key)
    const { level, reason } = judgeShares(confidence, risk, learned ?? null)
    if (level !== 'ok') return
    const row = (await findByKey(tx, question))!
    await this.#end(tx, tenant, row, 'answer', { choice: defaultChoice, text: reason, by: 'policy' }, now)
  }

  async #learn(tx: Tx, tenant: TenantId, row: QuestionRow, choice: string | null, now: Date): Promise<void> {
    if (row.kind !== 'question' || row.default_choice === null) return
    const key = await this.#keyOf(tx, tenant, row.task_id)
    if (key === null) return
    const success = choice === row.default_choice
    const sample = { tenant, id: row.id, key, runId: row.run_id, step: row.step, success }
    await this.#options.learning?.insertSamples(tx, [sample], now)
  }

  async #keyOf(tx: ReadTx, tenant: TenantId, taskId: string): Promise<string | null> {
    const work = (await this.#options.kindOfWork?.(tx, tenant, taskId)) ?? null
    return work === null ? null : `question:${work}`
  }

  /** Closes what is still open; resolves to what is there then: an answer may have come in between. */
  async #close(tenant: TenantId, id: string, event: 'expire' | 'withdraw'): Promise<QuestionRow> {
    return this.#database.forTenant(tenant).write(async (tx) => {
      const now = this.#database.clock.now()
      const row = (await lockQuestion(tx, tenant, id))!
      if (row.state !== 'pending') return row
      await this.#end(tx, tenant, row, event, event === 'expire' ? defaultOf(row) : null, now)
      return (await findQuestions(tx, tenant, [id]))[0]!
    })
  }

  async #end(
    tx: Tx,
    tenant: TenantId,
    row: QuestionRow,
    event: QuestionEvent,
    answer: Pick<AskAnswer, 'choice' | 'text' | 'by'> | null,
    now: Date,
  ): Promise<void> {
    const state = transition(questionStates, `question ${row.id}`, row.state, event)
    await closeQuestion(tx, tenant, row.id, state, answer, now)
    await cancelTimers(tx, [{ tenant, id: timerOf(row.id) }])
    await appendEvents(tx, [
      {
        ...{ tenant, runId: row.run_id, at: now, type: `question.${state}` },
        subject: { kind: 'question', id: row.id, rev: row.rev + 1 },
        data: {
          step: row.step,
          taskId: row.task_id,
          choice: answer?.choice ?? null,
          text: answer?.text ?? null,
          by: answer?.by ?? null,
        },
      },
    ])
  }
}

const attemptEnds: ReadonlySet<string> = new Set([
  ...['task.succeeded', 'task.failed', 'task.cancelled', 'task.timed-out', 'task.lost', 'task.retrying'],
])

function timerOf(id: string): string {
  return `question:${id}`
}

function defaultOf(row: QuestionRow): Pick<AskAnswer, 'choice' | 'text' | 'by'> {
  return { choice: row.default_choice, text: null, by: 'deadline' }
}

function answerOf(row: QuestionRow): AskAnswer {
  return { choice: row.choice, text: row.answer, by: row.answered_by ?? 'nobody', expired: row.state !== 'answered' }
}
