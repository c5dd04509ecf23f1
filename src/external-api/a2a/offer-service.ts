import { Role, type SendMessageRequest } from '@a2a-js/sdk'
import {
  ContentTypeNotSupportedError,
  RequestMalformedError,
  TaskNotFoundError,
  UnsupportedOperationError,
} from '@a2a-js/sdk/errors'
import type { IdSource, RunId, TenantId } from '../../foundation/kernel/ids.ts'
import type { JsonObject, JsonValue } from '../../foundation/kernel/json.ts'
import type { A2aOffer } from '../../foundation/platform/config/a2a-settings.ts'
import type { Database, ReadTx, Tx } from '../../foundation/platform/database/database.ts'
import type { ArtifactRow } from '../../orchestration/artifacts/artifacts-store.ts'
import type { RunRow } from '../../orchestration/runs/run-rows.ts'
import type { RepoAt } from '../../orchestration/runs/runs-service.ts'
import { isEnded, type OpenQuestion, type TaskFacts } from './task-view.ts'
import {
  bindMessage,
  deleteMessage,
  findTask,
  insertMessage,
  insertTask,
  type MessageKey,
  type MessagePart,
  messagesOf,
  runOfMessage,
  type TaskRow,
} from './tasks-store.ts'

/** What an offered agent needs of the runs behind it. */
export interface RunsBehind {
  /** The repository that the runs of an offer work on, as it is now. */
  repoOf(offer: A2aOffer): Promise<RepoAt | null>
  /** Begins a run in the caller's transaction. Throws where the workflow does not take what is given. */
  start(
    tx: Tx,
    tenant: TenantId,
    begin: {
      readonly offer: A2aOffer
      readonly text: string
      readonly values: JsonObject
      readonly labels: Readonly<Record<string, string>>
      readonly repo: RepoAt | null
    },
    now: Date,
  ): Promise<RunId>
  find(tx: ReadTx, tenant: TenantId, runId: string): Promise<RunRow | null>
  cancel(tenant: TenantId, runId: string, reason: string): Promise<void>
  /** What it waits for people to say, the oldest first. */
  open(tx: ReadTx, tenant: TenantId, runId: string, now: Date): Promise<readonly OpenQuestion[]>
  artifacts(tx: ReadTx, tenant: TenantId, runId: string): Promise<readonly ArtifactRow[]>
  answer(
    tenant: TenantId,
    question: OpenQuestion,
    answer: { readonly choice: string | null; readonly text: string | null; readonly by: string },
  ): Promise<void>
}

export interface OfferServiceOptions {
  readonly database: Database
  readonly runs: RunsBehind
  readonly ids: IdSource
}

export interface Caller {
  readonly tenant: TenantId
  readonly id: string
  mayAnswer: boolean
}

const mostParts = 100
const longestId = 200

/** One task of the protocol is one run. */
export class OfferService {
  readonly #options: OfferServiceOptions

  constructor(options: OfferServiceOptions) {
    this.#options = options
  }

  /**
   * A message begins a run, or answers what one waits for. One that comes again changes nothing.
   * @param onTask called in the transaction that begins the run
   */
  async take(
    offer: A2aOffer,
    caller: Caller,
    { message }: SendMessageRequest,
    onTask: (tx: Tx, runId: RunId) => Promise<void>,
  ): Promise<RunId> {
    if (message === undefined || message.messageId === '') throw malformed('a message without a name')
    if (message.role !== Role.ROLE_USER) throw malformed('the message is not one of the user')
    if (message.messageId.length > longestId || message.contextId.length > longestId)
      throw malformed('a name is too long')
    const content = contentOf(message.parts)
    const key: MessageKey = {
      tenant: caller.tenant,
      agent: offer.name,
      caller: caller.id,
      messageId: message.messageId,
    }
    if (message.taskId !== '') return this.#answer(key, caller, message.taskId, message.contextId, content)
    return this.#begin(offer, key, message.contextId, content, onTask)
  }

  async #begin(
    offer: A2aOffer,
    key: MessageKey,
    contextId: string,
    content: readonly MessagePart[],
    onTask: (tx: Tx, runId: RunId) => Promise<void>,
  ): Promise<RunId> {
    const { database, runs, ids } = this.#options
    const { tenant, agent, caller } = key
    const repo = await runs.repoOf(offer)
    return database.forTenant(tenant).write(async (tx) => {
      const now = database.clock.now()
      if (!(await insertMessage(tx, key, content, now))) return (await runOfMessage(tx, key))!
      const context = contextId === '' ? ids.next<string>('ctx') : contextId
      const labels = { 'a2a.agent': agent, 'a2a.context': context, 'a2a.caller': caller }
      const runId = await runs.start(tx, tenant, { offer, ...wordsAndValues(content), labels, repo }, now)
      await bindMessage(tx, key, runId)
      await insertTask(tx, tenant, { runId, agent, contextId: context, caller, createdAt: now })
      await onTask(tx, runId)
      return runId
    })
  }

  async #answer(
    key: MessageKey,
    caller: Caller,
    taskId: string,
    contextId: string,
    content: readonly MessagePart[],
  ): Promise<RunId> {
    const { database, runs } = this.#options
    const { tenant, agent } = key
    const facts = await this.facts(tenant, agent, taskId)
    const known = await database.forTenant(tenant).read((tx) => runOfMessage(tx, key))
    if (known !== null) return known
    if (contextId !== '' && contextId !== facts.task.contextId) throw malformed('the task is of another context')
    if (isEnded(facts.run.state)) throw new UnsupportedOperationError(`the task ${taskId} has ended`)
    const [question] = facts.open
    if (question === undefined) throw new UnsupportedOperationError(`the task ${taskId} waits for no answer`)
    if (!caller.mayAnswer) throw new UnsupportedOperationError('the key may not answer: it lacks approvals:write')
    const { text, values } = wordsAndValues(content)
    const said = typeof values.choice === 'string' ? values.choice : text.trim()
    const choice = question.choices.find(({ id, label }) => [id, label].some((each) => same(each, said)))?.id ?? null
    const isNew = await database.forTenant(tenant).write(async (tx) => {
      const fresh = await insertMessage(tx, key, content, database.clock.now())
      if (fresh) await bindMessage(tx, key, taskId)
      return fresh
    })
    if (!isNew) return facts.run.id
    try {
      await runs.answer(tenant, question, { choice, text: choice === null ? said : null, by: caller.id })
    } catch (error) {
      // It was no answer: it may come again.
      await database.forTenant(tenant).write((tx) => deleteMessage(tx, key))
      throw error
    }
    return facts.run.id
  }

  /** Throws where the agent has no such task. */
  async facts(tenant: TenantId, agent: string, runId: string): Promise<TaskFacts> {
    const { database } = this.#options
    return database.forTenant(tenant).read(async (tx) => {
      const task = await findTask(tx, tenant, agent, runId)
      if (task === null) throw new TaskNotFoundError(`there is no task ${runId}`)
      return this.factsOf(tx, tenant, task)
    })
  }

  async factsOf(tx: ReadTx, tenant: TenantId, task: TaskRow): Promise<TaskFacts> {
    const { runs, database } = this.#options
    const { runId } = task
    const run = await runs.find(tx, tenant, runId)
    if (run === null) throw new TaskNotFoundError(`there is no task ${runId}`)
    const messages = await messagesOf(tx, tenant, runId)
    const open = isEnded(run.state) ? [] : await runs.open(tx, tenant, runId, database.clock.now())
    const artifacts = run.state === 'succeeded' ? await runs.artifacts(tx, tenant, runId) : []
    return { task, run, messages, open, artifacts }
  }
}

function contentOf(parts: NonNullable<SendMessageRequest['message']>['parts']): readonly MessagePart[] {
  if (parts.length === 0 || parts.length > mostParts) throw malformed(`a message has 1 to ${mostParts} parts`)
  return parts.map(({ content }) => {
    if (content?.$case === 'text') return { text: content.value }
    if (content?.$case === 'data') return { data: (content.value ?? null) as JsonValue }
    throw new ContentTypeNotSupportedError('text and values are taken, files are not')
  })
}

function wordsAndValues(content: readonly MessagePart[]): { readonly text: string; readonly values: JsonObject } {
  const text = content.flatMap((part) => ('text' in part ? [part.text] : [])).join('\n')
  const values: Record<string, JsonValue> = {}
  for (const part of content) {
    if ('text' in part) continue
    const { data } = part
    if (typeof data !== 'object' || data === null || Array.isArray(data)) throw malformed('values come as an object')
    Object.assign(values, data)
  }
  return { text, values }
}

function same(a: string, b: string): boolean {
  return a.trim().toLowerCase() === b.trim().toLowerCase()
}

function malformed(why: string): Error {
  return new RequestMalformedError(why)
}
