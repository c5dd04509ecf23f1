import { type Artifact, type Message, type Part, Role, type Task, TaskState } from '@a2a-js/sdk'
import type { JsonObject, JsonValue } from '../../foundation/kernel/json.ts'
import type { ArtifactRow } from '../../orchestration/artifacts/artifacts-store.ts'
import type { RunRow } from '../../orchestration/runs/run-rows.ts'
import type { RunState } from '../../orchestration/runs/states-contract.ts'
import type { MessageRow, TaskRow } from './tasks-store.ts'

/** Something that a run waits for people to say. */
export interface OpenQuestion {
  readonly kind: 'approval' | 'permission' | 'question'
  readonly id: string
  readonly message: string
  readonly choices: readonly { readonly id: string; readonly label: string; readonly meaning?: string | undefined }[]
  readonly freeText: boolean
}

/** All that a task is made of. */
export interface TaskFacts {
  readonly task: TaskRow
  readonly run: RunRow
  readonly messages: readonly MessageRow[]
  /** The oldest first. */
  readonly open: readonly OpenQuestion[]
  readonly artifacts: readonly ArtifactRow[]
}

const states: Readonly<Record<RunState, TaskState>> = {
  pending: TaskState.TASK_STATE_SUBMITTED,
  running: TaskState.TASK_STATE_WORKING,
  paused: TaskState.TASK_STATE_WORKING,
  waiting: TaskState.TASK_STATE_WORKING,
  succeeded: TaskState.TASK_STATE_COMPLETED,
  failed: TaskState.TASK_STATE_FAILED,
  cancelled: TaskState.TASK_STATE_CANCELED,
}

export function isEnded(state: RunState): boolean {
  return state === 'succeeded' || state === 'failed' || state === 'cancelled'
}

/** It is not the agent's turn: the task has ended, or waits for an answer. */
export function isPaused({ run, open }: Pick<TaskFacts, 'run' | 'open'>): boolean {
  return isEnded(run.state) || open.length > 0
}

/** A run as a task of the protocol. */
export function toTask(facts: TaskFacts, baseUrl: string, historyLength?: number): Task {
  const { task, run, messages } = facts
  const history = messages.map((message) => toMessage(message, task))
  return {
    id: run.id,
    contextId: task.contextId,
    status: statusOf(facts),
    artifacts: artifactsOf(facts, baseUrl),
    history: historyLength === undefined ? history : historyLength === 0 ? [] : history.slice(-historyLength),
    metadata: { run: run.id, workflow: run.workflow },
  }
}

export function statusOf(facts: TaskFacts): { state: TaskState; message: Message | undefined; timestamp: string } {
  const { run, task, open } = facts
  const [question] = open
  const at = run.endedAt ?? run.startedAt ?? run.createdAt
  if (question !== undefined && !isEnded(run.state)) {
    return {
      state: TaskState.TASK_STATE_INPUT_REQUIRED,
      message: ours(task, question.id, [textPart(question.message), dataPart({ question: questionData(question) })]),
      timestamp: at.toISOString(),
    }
  }
  const why = run.error === null ? null : `${run.error.code}: ${run.error.message}`
  return {
    state: states[run.state],
    message: why === null ? undefined : ours(task, `${run.id}.end`, [textPart(why)]),
    timestamp: at.toISOString(),
  }
}

function questionData({ kind, id, choices, freeText }: OpenQuestion): JsonObject {
  return {
    kind: kind === 'approval' ? 'permission' : kind,
    id,
    choices: choices.map(({ meaning, ...choice }) => ({ ...choice, ...(meaning === undefined ? {} : { meaning }) })),
    freeText,
  }
}

/** A message of the agent. */
export function ours(task: TaskRow, messageId: string, parts: Part[]): Message {
  return {
    ...{ messageId, contextId: task.contextId, taskId: task.runId, role: Role.ROLE_AGENT, parts },
    ...{ metadata: undefined, extensions: [], referenceTaskIds: [] },
  }
}

function toMessage(row: MessageRow, task: TaskRow): Message {
  const parts = row.content.map((part) => ('text' in part ? textPart(part.text) : dataPart(part.data)))
  return { ...ours(task, row.messageId, parts), role: Role.ROLE_USER }
}

function artifactsOf({ run, artifacts }: TaskFacts, baseUrl: string): Artifact[] {
  if (run.state !== 'succeeded') return []
  const of = (artifactId: string, name: string, parts: Part[]): Artifact => ({
    ...{ artifactId, name, description: '', parts, metadata: undefined, extensions: [] },
  })
  const { words, values } = outputsOf(run.outputs)
  const parts = [...(words === null ? [] : [textPart(words)]), ...(values === null ? [] : [dataPart(values)])]
  const files = artifacts.map(({ id, name, mediaType }) =>
    of(id, name, [
      {
        content: { $case: 'url', value: `${baseUrl}/api/v1/artifacts/${id}/content` },
        ...{ metadata: undefined, filename: name, mediaType },
      },
    ]),
  )
  return parts.length === 0 ? files : [of('outputs', 'outputs', parts), ...files]
}

/** Outputs that are words, and those that are values. */
function outputsOf(outputs: JsonValue): { readonly words: string | null; readonly values: JsonObject | null } {
  if (typeof outputs !== 'object' || outputs === null || Array.isArray(outputs)) return { words: null, values: null }
  const values = outputs as JsonObject
  const entries = Object.entries(values)
  const named = ['summary', 'answer', 'text'].find((name) => typeof values[name] === 'string')
  const only = entries.length === 1 && typeof entries[0]![1] === 'string' ? entries[0]![0] : undefined
  const key = named ?? only
  const words = key === undefined ? null : (values[key] as string)
  return { words, values: entries.length === 0 || (key !== undefined && entries.length === 1) ? null : values }
}

export function textPart(value: string): Part {
  return { content: { $case: 'text', value }, metadata: undefined, filename: '', mediaType: 'text/plain' }
}

function dataPart(value: JsonValue): Part {
  return { content: { $case: 'data', value }, metadata: undefined, filename: '', mediaType: 'application/json' }
}
