import type { JsonValue } from '../../foundation/kernel/json.ts'
import type { AskAnswer } from '../../orchestration/agents/ask-contract.ts'
import type { ServiceMessage } from '../../orchestration/agents/http/service-calls-contract.ts'
import type {
  WireQuestion,
  WireReply,
  WireRequest,
} from '../../orchestration/remote-runners/remote-runners-contract.ts'
import type { WireContext } from '../../orchestration/remote-runners/runner-services-contract.ts'
import type { AgentRegistration } from '../../orchestration/runners/exchange-contract.ts'
import type { ToolCallNote } from '../../orchestration/tool-calls/tool-calls-contract.ts'

import type { HostOffer } from '../runner-home.ts'

export interface LogPiece {
  readonly taskId: string
  readonly fence: number
  readonly seq: number
  readonly stream: 'stdout' | 'stderr'
  /** Base64. */
  readonly bytes: string
}

/** A file whose pieces were sent. */
export interface SentFile {
  readonly upload: string
  readonly pieces: number
  readonly sha256: string
}

/** What agents keep at a server while they work on a lease. */
export interface LeaseServices {
  keepContext(runner: string, fence: number, state: WireContext): Promise<void>
  dropContext(runner: string, fence: number): Promise<void>
  expectContext(runner: string, fence: number): Promise<{ readonly growth: number | null }>
  openCall(
    runner: string,
    fence: number,
    wish: { readonly resume: boolean; readonly forMs: number },
  ): Promise<{ readonly id: string; readonly token: string; readonly accepted: { readonly answer: JsonValue } | null }>
  acceptCall(runner: string, fence: number, answer: JsonValue): Promise<void>
  /** What the service has told after the message `after`; empty where it told nothing for a while: ask again. */
  callMessages(
    runner: string,
    fence: number,
    after: number,
    signal: AbortSignal,
  ): Promise<readonly { readonly seq: number; readonly body: ServiceMessage; readonly answer: JsonValue | null }[]>
  answerCall(runner: string, fence: number, seq: number, answer: JsonValue): Promise<void>
  closeCall(runner: string, fence: number, reason: string): Promise<void>
}

/** What a runner asks of the servers that it has joined by their addresses. Failures are AppErrors. */
export interface RunnerServer extends LeaseServices {
  /** The server that answered last; the model gateway is reached there, too. */
  url(): string
  register(
    host: string,
    pid: number,
    agents: readonly (Omit<AgentRegistration, 'tenant' | 'agentId'> & { readonly name: string })[],
    offer?: HostOffer,
  ): Promise<{
    readonly runner: string
    readonly tenant: string
    readonly contract?: number | undefined
    readonly agents: readonly string[]
    readonly now: string
  }>
  exchange(runner: string, request: WireRequest, signal: AbortSignal): Promise<WireReply>
  /** Yields when there may be something to fetch; connects again by itself. */
  hints(runner: string, signal: AbortSignal): AsyncIterable<unknown>
  /** Gives its agents nothing new; resolves to the tasks that they still hold. */
  drain(runner: string): Promise<number>
  remove(runner: string): Promise<void>
  appendLogs(runner: string, chunks: readonly LogPiece[]): Promise<void>
  appendToolCalls(
    runner: string,
    calls: readonly (ToolCallNote & { readonly taskId: string; readonly fence: number })[],
  ): Promise<void>
  sendPiece(
    runner: string,
    fence: number,
    place: { readonly upload: string; readonly piece: number },
    bytes: Uint8Array,
    signal: AbortSignal,
  ): Promise<void>
  finishArtifact(
    runner: string,
    fence: number,
    file: SentFile,
    signal: AbortSignal,
  ): Promise<{ readonly blob: string; readonly bytes: number; readonly sha256: string }>
  fetchRepository(
    runner: string,
    fence: number,
    wanted: { readonly have: readonly string[]; readonly base?: string },
    signal: AbortSignal,
  ): Promise<AsyncIterable<Uint8Array>>
  deliverCommit(
    runner: string,
    fence: number,
    file: SentFile & { readonly commit: string },
    signal: AbortSignal,
  ): Promise<void>
  modelKey(runner: string, fence: number, models: readonly string[], signal: AbortSignal): Promise<string>
  /** Null: nobody has answered while the call waited; ask again. */
  ask(runner: string, fence: number, question: WireQuestion, signal: AbortSignal): Promise<AskAnswer | null>
}
