import { setTimeout as delay } from 'node:timers/promises'
import { type IdSource, systemIds, type TenantId } from '../../foundation/kernel/ids.ts'
import { type StateTable, transition } from '../../foundation/kernel/state-table.ts'
import type { Database, Tx } from '../../foundation/platform/database/database.ts'
import { appendEvents } from '../../foundation/runtime/event-log.ts'
import type { AskAnswer, AskPort, AskQuestion } from '../agents/ask-contract.ts'
import type { QuestionView } from './questions-contract.ts'
import { questionErrors } from './questions-errors.ts'
import {
  closeQuestion,
  findByKey,
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
  /** Between two looks for an answer, while one is waited for. Default 1,000. */
  readonly pollMs?: number
}

const usualDeadlineMs = 900_000

/** What agents at work ask people. Whoever asks waits here; whoever answers may be another process on the same database. */
export class QuestionsService implements AskPort {
  readonly #database: Database
  readonly #ids: IdSource
  readonly #deadlineMs: number
  readonly #pollMs: number

  constructor(options: QuestionsServiceOptions) {
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
      const [after] = await findQuestions(tx, tenant, [id])
      return toQuestionView(after!, now)
    })
  }

  async #put(question: AskQuestion): Promise<QuestionRow> {
    const { tenant, runId, step, kind, message, taskId } = question
    return this.#database.forTenant(tenant).write(async (tx) => {
      const now = this.#database.clock.now()
      const deadlineAt = new Date(now.getTime() + (question.deadlineMs ?? this.#deadlineMs))
      const id = await insertQuestion(tx, this.#ids.next('qst'), question, deadlineAt, now)
      if (id !== null) {
        await appendEvents(tx, [
          {
            ...{ tenant, runId, at: now, type: 'question.pending' },
            subject: { kind: 'question', id, rev: 1 },
            data: { step, taskId, kind, message, deadlineAt: deadlineAt.toISOString() },
          },
        ])
      }
      return (await findByKey(tx, question))!
    })
  }

  /** Closes what is still open; resolves to what is there then: an answer may have come in between. */
  async #close(tenant: TenantId, id: string, event: 'expire' | 'withdraw'): Promise<QuestionRow> {
    return this.#database.forTenant(tenant).write(async (tx) => {
      const now = this.#database.clock.now()
      const row = (await lockQuestion(tx, tenant, id))!
      if (row.state !== 'pending') return row
      const answer = event === 'expire' ? { choice: row.default_choice, text: null, by: 'deadline' } : null
      await this.#end(tx, tenant, row, event, answer, now)
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
    await appendEvents(tx, [
      {
        ...{ tenant, runId: row.run_id, at: now, type: `question.${state}` },
        subject: { kind: 'question', id: row.id, rev: row.rev + 1 },
        data: { step: row.step, taskId: row.task_id, choice: answer?.choice ?? null, by: answer?.by ?? null },
      },
    ])
  }
}

function answerOf(row: QuestionRow): AskAnswer {
  return { choice: row.choice, text: row.answer, by: row.answered_by ?? 'nobody', expired: row.state !== 'answered' }
}
