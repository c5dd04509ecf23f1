import type { JsonObject, JsonValue } from '../../../foundation/kernel/json.ts'
import type { Assignment } from '../../runners/exchange-contract.ts'
import type { SessionContext } from './agent-session.ts'

/** A tool that the pool of an agent grants it. */
export interface GrantedTool {
  /** Name of the server in `tools` of the pool. */
  readonly server: string
  /** As its server calls it. */
  readonly name: string
  /** Its name where one list holds the tools of all servers: `server__name`, letters, digits, _ and -, at most 64, unique. */
  readonly qualified: string
  /** Words of the server, for the model: data, not instructions of ours. */
  readonly description: string | null
  /** A JSON schema of its arguments. */
  readonly inputSchema: JsonObject
  /** `ask`: each call waits for people. Tools that are `off` are not listed. */
  readonly permission: 'allow' | 'ask'
}

export interface ToolCall {
  readonly server: string
  readonly tool: string
  readonly arguments: JsonObject
}

export interface ToolAnswer {
  /** The words of the answer, for a model; at most 1 MiB. Of a call that did not succeed: why. */
  readonly text: string
  /** Content as the Model Context Protocol has it: text, images, links. */
  readonly content: readonly JsonObject[]
  readonly structured: JsonValue | null
  /** The tool failed, could not be reached in time, or is not granted. */
  readonly isError: boolean
}

/**
 * The tools of one attempt. Their servers are started when they are first needed, once for the attempt, and ended by
 * `close`. Every call is decided by the rules of the pool and written to the log.
 */
export interface ToolGrants {
  /** Names of the servers that the pool names. Empty: there is nothing to list or call. */
  readonly servers: readonly string[]
  /** Granted tools of one server, or of all. A server that cannot be had has none; the log says why. */
  list(server?: string): Promise<readonly GrantedTool[]>
  /**
   * Calls a tool. Whatever goes wrong is an answer with `isError`, so that the agent can go on; rejects only when `signal`
   * or the attempt ends.
   */
  call(call: ToolCall, signal?: AbortSignal): Promise<ToolAnswer>
  /** Ends the servers; resolves to the number of processes that could not be ended. */
  close(): Promise<number>
}

/** Makes the grants of an attempt. Starts nothing yet. */
export type OpenToolGrants = (assignment: Assignment, context: SessionContext) => ToolGrants
