import { createHash, type Hash } from 'node:crypto'
import {
  type Artifact,
  type Message,
  type Part,
  type StreamResponse,
  type Task,
  TaskState,
  type TaskStatus,
} from '@a2a-js/sdk'
import type { JsonObject, JsonValue } from '../../../foundation/kernel/json.ts'
import type { SessionContext } from '../sessions/agent-session.ts'
import { sessionErrors } from '../sessions/session-errors.ts'
import { A2aTools } from './a2a-tools.ts'
import { A2aUsage } from './a2a-usage.ts'
import type { PartFiles } from './part-files.ts'

/** Where a remote task stands. `said`: the agent answered without making a task of it. */
export type Standing = 'unknown' | 'going' | 'asks' | 'signs-in' | 'done' | 'failed' | 'rejected' | 'cancelled' | 'said'

const standings: Readonly<Record<number, Standing>> = {
  [TaskState.TASK_STATE_SUBMITTED]: 'going',
  [TaskState.TASK_STATE_WORKING]: 'going',
  [TaskState.TASK_STATE_INPUT_REQUIRED]: 'asks',
  [TaskState.TASK_STATE_AUTH_REQUIRED]: 'signs-in',
  [TaskState.TASK_STATE_COMPLETED]: 'done',
  [TaskState.TASK_STATE_FAILED]: 'failed',
  [TaskState.TASK_STATE_REJECTED]: 'rejected',
  [TaskState.TASK_STATE_CANCELED]: 'cancelled',
}

/** Nothing more comes of it. */
export function isOver(standing: Standing): boolean {
  return ['done', 'failed', 'rejected', 'cancelled', 'said'].includes(standing)
}

/** It has ended without a result. */
export function isLost({ status }: Task): boolean {
  return ['failed', 'rejected', 'cancelled'].includes(standings[status?.state ?? 0] ?? '')
}

const mostArtifacts = 1_000
const longestId = 1_000

/** What we know of a task that a remote agent works on, and what of it was passed on by now. */
export class RemoteTask {
  readonly usage = new A2aUsage()
  readonly #context: SessionContext
  readonly #files: PartFiles
  readonly #tools: A2aTools
  /** Of each artifact, how many characters were said, and what they were. */
  readonly #said = new Map<string, { length: number; readonly hash: Hash }>()
  readonly #values = new Map<string, JsonValue>()
  #words = false
  #noted = ''
  id: string | null = null
  contextId: string | null = null
  standing: Standing = 'unknown'
  /** What the agent said with its present state. */
  message: Message | null = null
  /** Grows with everything that is new. */
  news = 0

  constructor(context: SessionContext, files: PartFiles) {
    this.#context = context
    this.#files = files
    this.#tools = new A2aTools(context.tools)
  }

  /** Values besides words. */
  get values(): JsonObject {
    return Object.fromEntries(this.#values)
  }

  /** The words that came with the present state. */
  get statusText(): string {
    return this.message === null ? '' : textOf(this.message.parts)
  }

  /** One event of a stream. Throws `agent-protocol`. */
  async take({ payload }: StreamResponse): Promise<void> {
    if (payload === undefined) throw broken('it sent an event that is neither a task nor a message')
    if (payload.$case === 'task') return this.snapshot(payload.value)
    if (payload.$case === 'message') return this.answer(payload.value)
    const { taskId, contextId } = payload.value
    this.#bind(taskId, contextId)
    if (payload.$case === 'statusUpdate') {
      this.#heed(payload.value.metadata)
      return this.#status(payload.value.status)
    }
    const { artifact, append } = payload.value
    if (artifact === undefined) throw broken('it sent an artifact without content')
    await this.#artifact(artifact, append)
  }

  /** The whole task, as it is now. */
  async snapshot(task: Task): Promise<void> {
    this.#bind(task.id, task.contextId)
    this.#heed(task.metadata)
    for (const artifact of task.artifacts) await this.#artifact(artifact, false)
    await this.#status(task.status)
  }

  /** A message instead of a task. */
  async answer(message: Message): Promise<void> {
    if (this.id !== null) throw broken('it answered with a message where a task is under way')
    this.contextId = message.contextId === '' ? null : message.contextId
    this.#heed(message.metadata)
    this.news += 1
    this.standing = 'said'
    await this.#parts(message.parts, message.messageId)
  }

  /** The next turn begins: what it asked is answered. */
  answered(): void {
    this.standing = 'going'
    this.message = null
    this.#noted = ''
  }

  /** Passes the last words on where they are all that there is. */
  async finish(): Promise<void> {
    if (this.standing === 'done' && !this.#words && this.message !== null) {
      await this.#parts(this.message.parts, 'message')
    }
  }

  /** What it has spent and which tools it uses stand in the metadata of whatever it sends. */
  #heed(metadata: unknown): void {
    this.usage.told(metadata)
    this.#tools.told(metadata)
  }

  #bind(id: string, contextId: string): void {
    if (id === '' || id.length > longestId) throw broken('it named no task')
    if (this.id !== null && id !== this.id) throw broken(`it told of the task ${id.slice(0, 100)}, which is not ours`)
    this.id = id
    if (contextId !== '') this.contextId = contextId
  }

  async #status(status: TaskStatus | undefined): Promise<void> {
    const standing = status === undefined ? undefined : standings[status.state]
    if (status === undefined || standing === undefined)
      throw broken('its task is in a state that the protocol does not know')
    if (standing !== this.standing) this.news += 1
    this.standing = standing
    this.message = status.message ?? null
    if (status.message !== undefined) {
      this.#heed(status.message.metadata)
      for (const part of status.message.parts) this.#tools.takes(part)
    }
    const text = this.statusText
    if (standing !== 'going' || text === '' || text === this.#noted) return
    this.#noted = text
    this.news += 1
    await this.#context.note(text)
  }

  async #artifact(artifact: Artifact, append: boolean): Promise<void> {
    const { artifactId, name, parts } = artifact
    this.#heed(artifact.metadata)
    if (artifactId === '' || artifactId.length > longestId) throw broken('it sent an artifact without a name')
    if (!this.#said.has(artifactId) && this.#said.size >= mostArtifacts) {
      throw broken(`it sent more than ${mostArtifacts} artifacts`)
    }
    const label = name === '' ? artifactId : name
    await this.#rest(artifactId, parts, label)
    const text = parts.map((part) => (part.content?.$case === 'text' ? part.content.value : '')).join('')
    const said = this.#said.get(artifactId) ?? { length: 0, hash: createHash('sha256') }
    this.#said.set(artifactId, said)
    let fresh = text
    if (!append && said.length > 0) {
      const same =
        createHash('sha256').update(text.slice(0, said.length)).digest('hex') === said.hash.copy().digest('hex')
      fresh = same ? text.slice(said.length) : `\n${text}`
      if (!same) {
        await this.#context.note(`the agent has replaced ${label}`)
        this.#said.set(artifactId, { length: text.length, hash: createHash('sha256').update(text) })
        return this.#say(fresh)
      }
    }
    if (fresh === '') return
    said.length += fresh.length
    said.hash.update(fresh)
    await this.#say(fresh)
  }

  async #parts(parts: readonly Part[], label: string): Promise<void> {
    await this.#rest(label, parts, label)
    await this.#say(textOf(parts))
  }

  /** What is no text: values become outputs, files are kept. */
  async #rest(id: string, parts: readonly Part[], label: string): Promise<void> {
    for (const [index, part] of parts.entries()) {
      const { content, filename } = part
      if (content === undefined || content.$case === 'text' || this.#tools.takes(part)) continue
      this.news += 1
      if (content.$case === 'data') this.#values.set(label, (content.value ?? null) as JsonValue)
      else if (content.$case === 'raw') await this.#files.keep(`${id}/${index}`, filename || label, content.value)
      else await this.#files.fetch(`${id}/${index}`, filename || label, content.value)
    }
  }

  async #say(text: string): Promise<void> {
    if (text === '') return
    this.#words = true
    this.news += 1
    await this.#context.say(text)
  }
}

export function textOf(parts: readonly Part[]): string {
  return parts.map(({ content }) => (content?.$case === 'text' ? content.value : '')).join('')
}

function broken(why: string): Error {
  return sessionErrors['agent-protocol'](why)
}
