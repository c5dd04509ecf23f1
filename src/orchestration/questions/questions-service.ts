import { setTimeout as delay } from 'node:timers/promises'
import { type IdSource, systemIds, type TenantId } from '../../foundation/kernel/ids.ts'
import { type StateTable, transition } from '../../foundation/kernel/state-table.ts'
import type { Database, ReadTx, Tx } from '../../foundation/platform/database/database.ts'
import { appendEvents, type LoggedEvent } from '../../foundation/runtime/event-log.ts'
import { cancelTimers, setTimers, type Timer, type TimerHandler } from '../../foundation/runtime/timers.ts'
import type { AskAnswer, AskPort, AskQuestion } from '../agents/ask-contract.ts'
import { nextMove, widened } from '../approvals/approval-plan-contract.ts'
import { isNamed } from '../approvals/approval-votes-contract.ts'
import type { ReadKnownAs } from '../approvals/read-known-as.ts'
import { type Experience, judgeShares } from '../gates/confidence-contract.ts'
import type { StepQuestions } from '../workflows/task-contract.ts'
import { outcomeOfVotes, withVote } from './question-votes-contract.ts'
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
  saveVotes,
  standingOf,
  toQuestionView,
  widenQuestion,
} from './questions-store.ts'

type QuestionEvent = 'answer' | 'vote' | 'expire' | 'withdraw' | 'escalate'

export const questionStates: StateTable<QuestionView['state'], QuestionEvent> = {
  pending: { answer: 'answered', vote: 'pending', expire: 'expired', withdraw: 'withdrawn', escalate: 'pending' },
  answered: { answer: null, vote: null, expire: null, withdraw: null, escalate: null },
  expired: { answer: null, vote: null, expire: null, withdraw: null, escalate: null },
  withdrawn: { answer: null, vote: null, expire: null, withdraw: null, escalate: null },
}

export interface QuestionsServiceOptions {
  readonly database: Database
  readonly ids?: IdSource
  /** How long a question waits that does not say. Default 15 minutes. */
  readonly deadlineMs?: number
  /** What kind of agent asks, in which step of which workflow: for what is learned. Default: nothing is. */
  readonly kindOfWork?: (tx: ReadTx, tenant: TenantId, taskId: string) => Promise<string | null>
  readonly learning?: QuestionLearning
  /** What the step of a task says of the questions of its agent. Default: nothing. */
  readonly rulesOf?: (tx: ReadTx, tenant: TenantId, taskId: string) => Promise<StepQuestions | null>
  /** Roles and groups of a caller. Default: none. */
  readonly namesOf?: ReadKnownAs
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
        row = (await this.#elapse(tenant, row)) ?? (await this.#look(tenant, row, this.#pollMs, signal))
      }
    } catch (error) {
      if (signal.aborted) await this.#withdraw(tenant, row.id)
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
      const moved = await this.#elapse(tenant, now)
      if (moved !== null) {
        now = moved
        continue
      }
      if (signal.aborted || this.#database.clock.monotonic() >= until) return null
      now = await this.#look(tenant, now, this.#pollMs, signal).catch((error: unknown) => {
        if (signal.aborted) return now
        throw error
      })
    }
  }

  /** @throws question-not-found, question-not-yours, question-closed, answer-invalid */
  async answer(
    tenant: TenantId,
    id: string,
    { choice = null, text = null, by }: { choice?: string | null; text?: string | null; by: string },
  ): Promise<QuestionView> {
    return this.#database.forTenant(tenant).write(async (tx) => {
      const now = this.#database.clock.now()
      const row = await lockQuestion(tx, tenant, id)
      if (row === undefined) throw questionErrors['question-not-found'](`there is no question ${id}`)
      const answerer = { by, ...(await this.#options.namesOf?.(tx, tenant, by)) }
      if (!isNamed(row.who, answerer))
        throw questionErrors['question-not-yours'](`question ${id} is for ${row.who.join(', ')}`)
      const { state } = toQuestionView(row, now)
      if (state !== 'pending') throw questionErrors['question-closed'](`question ${id} is ${state}`)
      if (choice !== null && !row.choices.some((each) => each.id === choice)) {
        const known = row.choices.map((each) => each.id).join(', ')
        throw questionErrors['answer-invalid'](`${JSON.stringify(choice)} is none of its choices: ${known}`)
      }
      if (choice === null && !row.free_text) throw questionErrors['answer-invalid']('it takes a choice, no free words')
      const votes = withVote(row.votes, { by, choice, text })
      const outcome = outcomeOfVotes(row.choices, votes, row.rules.count ?? 1)
      await this.#vote(tx, tenant, row, votes, outcome === null, now)
      if (outcome !== null) {
        const voted = { ...row, rev: row.rev + 1 }
        await this.#end(tx, tenant, voted, 'answer', outcome, now)
        await this.#learn(tx, tenant, voted, outcome.choice, now)
      }
      const [after] = await findQuestions(tx, tenant, [id])
      return toQuestionView(after!, now)
    })
  }

  async #vote(
    tx: Tx,
    tenant: TenantId,
    row: QuestionRow,
    votes: QuestionRow['votes'],
    isTold: boolean,
    now: Date,
  ): Promise<void> {
    transition(questionStates, `question ${row.id}`, row.state, 'vote')
    await saveVotes(tx, tenant, row.id, votes)
    if (!isTold) return
    const { by, choice } = votes.at(-1)!
    const data = { step: row.step, taskId: row.task_id, by, choice, count: row.rules.count ?? 1, votes: votes.length }
    const subject = { kind: 'question', id: row.id, rev: row.rev + 1 }
    await appendEvents(tx, [{ tenant, runId: row.run_id, at: now, type: 'question.voted', subject, data }])
  }

  /** Asks others, and closes what nobody answered, also where whoever asked is gone. */
  readonly deadlines: TimerHandler = async (tx, timers, now) => {
    for (const { tenant, subjectId } of timers) {
      const row = await lockQuestion(tx, tenant, subjectId)
      if (row?.state === 'pending') await this.#move(tx, tenant, row, now)
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

  async #put(asked: AskQuestion): Promise<QuestionRow> {
    const { tenant, runId, step, kind, message, taskId } = asked
    return this.#database.forTenant(tenant).write(async (tx) => {
      const now = this.#database.clock.now()
      const question = underRules(asked, (await this.#options.rulesOf?.(tx, tenant, taskId)) ?? null)
      const deadlineMs = question.deadlineMs ?? this.#deadlineMs
      const id = await insertQuestion(tx, this.#ids.next('qst'), question, deadlineMs, now)
      if (id !== null) {
        const row = (await findByKey(tx, question))!
        const move = nextMove(standingOf(row), now)
        await setTimers(tx, [timerOf(tenant, id, move.kind === 'wait' && move.until !== null ? move.until : now)])
        await appendEvents(tx, [
          {
            ...{ tenant, runId, at: now, type: 'question.pending' },
            subject: { kind: 'question', id, rev: 1 },
            data: { step, taskId, kind, message, who: [...row.who], deadlineAt: row.deadline_at.toISOString() },
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

  /** Waits a while, but not past what is due; resolves to what is there then. */
  async #look(tenant: TenantId, row: QuestionRow, mostMs: number, signal: AbortSignal): Promise<QuestionRow> {
    const now = this.#database.clock.now()
    const move = nextMove(standingOf(row), now)
    const left = move.kind === 'wait' && move.until !== null ? move.until.getTime() - now.getTime() : 0
    await delay(Math.min(mostMs, left), undefined, { signal })
    const [found] = await this.#database.forTenant(tenant).read((tx) => findQuestions(tx, tenant, [row.id]))
    return found ?? row
  }

  /** Does what is due by now, unless somebody else did or an answer came in between. Null: nothing is due yet. */
  async #elapse(tenant: TenantId, { id, ...row }: QuestionRow): Promise<QuestionRow | null> {
    if (nextMove(standingOf({ id, ...row }), this.#database.clock.now()).kind === 'wait') return null
    return this.#database.forTenant(tenant).write(async (tx) => {
      const locked = (await lockQuestion(tx, tenant, id))!
      if (locked.state === 'pending') await this.#move(tx, tenant, locked, this.#database.clock.now())
      return (await findQuestions(tx, tenant, [id]))[0]!
    })
  }

  async #withdraw(tenant: TenantId, id: string): Promise<void> {
    await this.#database.forTenant(tenant).write(async (tx) => {
      const row = (await lockQuestion(tx, tenant, id))!
      if (row.state === 'pending') await this.#end(tx, tenant, row, 'withdraw', null, this.#database.clock.now())
    })
  }

  async #move(tx: Tx, tenant: TenantId, row: QuestionRow, now: Date): Promise<void> {
    const move = nextMove(standingOf(row), now)
    if (move.kind === 'expire') return this.#end(tx, tenant, row, 'expire', defaultOf(row), now)
    if (move.kind === 'wait') {
      if (move.until !== null) await setTimers(tx, [timerOf(tenant, row.id, move.until)])
      return
    }
    transition(questionStates, `question ${row.id}`, row.state, 'escalate')
    const { to, level, deadlineAt } = move
    const next = {
      ...row,
      who: widened(row.who, to),
      level,
      deadline_at: deadlineAt ?? row.deadline_at,
      rev: row.rev + 1,
    }
    await widenQuestion(tx, tenant, next)
    await appendEvents(tx, [
      {
        ...{ tenant, runId: row.run_id, at: now, type: 'question.escalated' },
        subject: { kind: 'question', id: row.id, rev: next.rev },
        data: { step: row.step, taskId: row.task_id, to: [...to], level, deadlineAt: next.deadline_at.toISOString() },
      },
    ])
    return this.#move(tx, tenant, next, now)
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
    await cancelTimers(tx, [{ tenant, id: timerName(row.id) }])
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

/** What the step says goes before what the pool says, which came with the question. */
function underRules(question: AskQuestion, step: StepQuestions | null): AskQuestion {
  if (step === null) return question
  const { deadlineMs = question.deadlineMs, ...rules } = step
  return { ...question, deadlineMs, rules: { who: [], escalate: [], atDeadline: null, ...question.rules, ...rules } }
}

const attemptEnds: ReadonlySet<string> = new Set([
  ...['task.succeeded', 'task.failed', 'task.cancelled', 'task.timed-out', 'task.lost', 'task.retrying'],
])

function timerName(id: string): string {
  return `question:${id}`
}

function timerOf(tenant: TenantId, id: string, dueAt: Date): Timer {
  return { tenant, id: timerName(id), kind: 'question-deadline', subjectId: id, dueAt }
}

/** What is taken at the deadline: what the pool says, where the question is one for permission, or else the agent's choice. */
function defaultOf(row: QuestionRow): Pick<AskAnswer, 'choice' | 'text' | 'by'> {
  const { atDeadline = null } = row.rules
  const wanted = atDeadline === 'approve' ? 'allow-once' : atDeadline === 'reject' ? 'reject-once' : null
  const meant = row.choices.find(({ meaning }) => wanted !== null && meaning === wanted)?.id
  const own = row.kind === 'question' && atDeadline === 'reject' ? null : row.default_choice
  return { choice: meant ?? own, text: null, by: 'deadline' }
}

function answerOf(row: QuestionRow): AskAnswer {
  return { choice: row.choice, text: row.answer, by: row.answered_by ?? 'nobody', expired: row.state !== 'answered' }
}
