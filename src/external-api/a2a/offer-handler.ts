import {
  type AgentCard,
  type CancelTaskRequest,
  type DeleteTaskPushNotificationConfigRequest,
  type GetTaskPushNotificationConfigRequest,
  type GetTaskRequest,
  type ListTaskPushNotificationConfigsRequest,
  type ListTaskPushNotificationConfigsResponse,
  type ListTasksRequest,
  type ListTasksResponse,
  type Message,
  type SendMessageRequest,
  type StreamResponse,
  type SubscribeToTaskRequest,
  type Task,
  type TaskPushNotificationConfig,
  TaskState,
} from '@a2a-js/sdk'
import { TaskNotCancelableError, UnsupportedOperationError } from '@a2a-js/sdk/errors'
import type { A2ARequestHandler } from '@a2a-js/sdk/server'
import type { A2aOffer } from '../../foundation/platform/config/a2a-settings.ts'
import type { Database } from '../../foundation/platform/database/database.ts'
import { formatPlace, parsePlace } from './list-place.ts'
import type { Caller, OfferService, RunsBehind } from './offer-service.ts'
import type { PushConfigs } from './push-configs.ts'
import type { TaskFollower } from './task-follower.ts'
import { isEnded, isPaused, ours, statusOf, textPart, toTask } from './task-view.ts'
import { countTasks, listTaskRows } from './tasks-store.ts'

export interface OfferHandlerOptions {
  readonly database: Database
  readonly service: OfferService
  readonly runs: RunsBehind
  readonly follower: TaskFollower
  readonly pushes: PushConfigs
  readonly offer: A2aOffer
  readonly caller: Caller & { readonly mayWrite: boolean }
  readonly baseUrl: string
  readonly card: () => Promise<AgentCard>
  readonly extendedCard: () => Promise<AgentCard>
  /** Aborts when the client goes away. */
  readonly signal: AbortSignal
}

/** What the methods of the protocol mean here, for one caller and one offered agent. */
export class OfferHandler implements A2ARequestHandler {
  readonly #options: OfferHandlerOptions

  constructor(options: OfferHandlerOptions) {
    this.#options = options
  }

  getAgentCard(): Promise<AgentCard> {
    return this.#options.card()
  }

  getAuthenticatedExtendedAgentCard(): Promise<AgentCard> {
    return this.#options.extendedCard()
  }

  /** Waits until the task has ended or needs an answer, unless it is asked not to. */
  async sendMessage(params: SendMessageRequest): Promise<Message | Task> {
    const { follower, signal } = this.#options
    const { configuration } = params
    const from = await follower.here()
    const runId = await this.#take(params)
    if (configuration?.returnImmediately !== true) {
      let facts = await this.#facts(runId)
      if (!isPaused(facts)) {
        for await (const _ of follower.follow(this.#options.caller.tenant, runId, from, signal)) {
          facts = await this.#facts(runId)
          if (isPaused(facts)) break
        }
      }
      signal.throwIfAborted()
    }
    return this.#task(runId, configuration?.historyLength)
  }

  async *sendMessageStream(params: SendMessageRequest): AsyncGenerator<StreamResponse, void, undefined> {
    const from = await this.#options.follower.here()
    const runId = await this.#take(params)
    yield* this.#stream(runId, from)
  }

  async *resubscribe({ id }: SubscribeToTaskRequest): AsyncGenerator<StreamResponse, void, undefined> {
    const from = await this.#options.follower.here()
    const { run } = await this.#facts(id)
    if (isEnded(run.state)) throw new UnsupportedOperationError(`the task ${id} has ended`)
    yield* this.#stream(id, from)
  }

  getTask({ id, historyLength }: GetTaskRequest): Promise<Task> {
    return this.#task(id, historyLength)
  }

  async listTasks(params: ListTasksRequest): Promise<ListTasksResponse> {
    const { database, service, offer, caller, baseUrl } = this.#options
    const { tenant } = caller
    const pageSize = Math.min(Math.max(params.pageSize ?? 50, 1), 100)
    const contextId = params.contextId === '' ? null : params.contextId
    const before = parsePlace(params.pageToken)
    return database.forTenant(tenant).read(async (tx) => {
      const rows = await listTaskRows(tx, tenant, { agent: offer.name, contextId, before, limit: pageSize + 1 })
      const tasks: Task[] = []
      for (const row of rows.slice(0, pageSize)) {
        const task = toTask(await service.factsOf(tx, tenant, row), baseUrl, params.historyLength ?? 0)
        const wanted = params.status === TaskState.TASK_STATE_UNSPECIFIED || task.status?.state === params.status
        if (wanted) tasks.push(params.includeArtifacts === true ? task : { ...task, artifacts: [] })
      }
      const last = rows[pageSize - 1]
      return {
        tasks,
        nextPageToken: rows.length > pageSize && last !== undefined ? formatPlace(last) : '',
        pageSize,
        totalSize: await countTasks(tx, tenant, offer.name, contextId),
      }
    })
  }

  async cancelTask({ id }: CancelTaskRequest): Promise<Task> {
    this.#requireWrite()
    const { runs, caller } = this.#options
    const { run } = await this.#facts(id)
    if (isEnded(run.state)) throw new TaskNotCancelableError(`the task ${id} has ended`)
    await runs.cancel(caller.tenant, id, `${caller.id} cancelled it over A2A`)
    return this.#task(id)
  }

  async createTaskPushNotificationConfig(config: TaskPushNotificationConfig): Promise<TaskPushNotificationConfig> {
    this.#requireWrite()
    await this.#facts(config.taskId)
    return this.#options.pushes.create(this.#options.caller.tenant, config.taskId, config)
  }

  async getTaskPushNotificationConfig(
    params: GetTaskPushNotificationConfigRequest,
  ): Promise<TaskPushNotificationConfig> {
    await this.#facts(params.taskId)
    return this.#options.pushes.show(this.#options.caller.tenant, params.taskId, params.id)
  }

  async listTaskPushNotificationConfigs(
    params: ListTaskPushNotificationConfigsRequest,
  ): Promise<ListTaskPushNotificationConfigsResponse> {
    await this.#facts(params.taskId)
    const configs = await this.#options.pushes.list(this.#options.caller.tenant, params.taskId)
    return { configs: [...configs], nextPageToken: '' }
  }

  async deleteTaskPushNotificationConfig(params: DeleteTaskPushNotificationConfigRequest): Promise<void> {
    this.#requireWrite()
    await this.#facts(params.taskId)
    await this.#options.pushes.remove(this.#options.caller.tenant, params.taskId, params.id)
  }

  async #take(params: SendMessageRequest) {
    this.#requireWrite()
    const { service, offer, caller, pushes } = this.#options
    const config = params.configuration?.taskPushNotificationConfig
    if (config !== undefined) await pushes.accept(config)
    return service.take(offer, caller, params, async (tx, runId) => {
      if (config !== undefined) await pushes.createIn(tx, caller.tenant, runId, config)
    })
  }

  /** The task as it is, then what changes, until it is not the agent's turn any more. */
  async *#stream(
    runId: string,
    from: Awaited<ReturnType<TaskFollower['here']>>,
  ): AsyncGenerator<StreamResponse, void, undefined> {
    const { follower, baseUrl, caller, signal } = this.#options
    let facts = await this.#facts(runId)
    yield { payload: { $case: 'task', value: toTask(facts, baseUrl) } }
    if (isPaused(facts)) return
    let told = statusOf(facts).state
    for await (const notes of follower.follow(caller.tenant, runId, from, signal)) {
      const { task } = facts
      const of = { taskId: runId, contextId: task.contextId, metadata: undefined }
      for (const [index, note] of notes.entries()) {
        const message = ours(task, `${note.id}.${index}`, [textPart(note.text)])
        const status = { state: TaskState.TASK_STATE_WORKING, message, timestamp: note.at.toISOString() }
        yield { payload: { $case: 'statusUpdate', value: { ...of, status } } }
        told = status.state
      }
      facts = await this.#facts(runId)
      const status = statusOf(facts)
      if (isEnded(facts.run.state)) {
        const { artifacts } = toTask(facts, baseUrl)
        for (const artifact of artifacts) {
          yield { payload: { $case: 'artifactUpdate', value: { ...of, artifact, append: false, lastChunk: true } } }
        }
      }
      if (status.state !== told || isPaused(facts))
        yield { payload: { $case: 'statusUpdate', value: { ...of, status } } }
      told = status.state
      if (isPaused(facts)) return
    }
  }

  #facts(runId: string) {
    const { service, caller, offer } = this.#options
    return service.facts(caller.tenant, offer.name, runId)
  }

  async #task(runId: string, historyLength?: number): Promise<Task> {
    return toTask(await this.#facts(runId), this.#options.baseUrl, historyLength)
  }

  #requireWrite(): void {
    if (!this.#options.caller.mayWrite)
      throw new UnsupportedOperationError('the key may only look: it lacks runs:write')
  }
}
