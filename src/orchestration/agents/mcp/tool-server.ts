import type { Tool } from '@modelcontextprotocol/client'
import { sessionErrors } from '../sessions/session-errors.ts'
import type { McpLink, McpLinkOptions } from './mcp-link.ts'

/** A server that is up, with its tools. */
export interface HeldServer {
  readonly link: McpLink
  readonly tools: readonly Tool[]
}

/** A server that dies is started again, but not for ever. */
const mostStarts = 4

/** One MCP server of an attempt: started when it is first needed, started again when it died. */
export class ToolServer {
  readonly #options: McpLinkOptions
  #held: Promise<HeldServer> | null = null
  #link: McpLink | null = null
  #starts = 0
  #survivors = 0
  #closed = false

  constructor(options: McpLinkOptions) {
    this.#options = options
  }

  get settings() {
    return this.#options.settings
  }

  /** The server that is up now; callers at the same time share one start. Throws why it cannot be had. */
  async hold(): Promise<HeldServer> {
    if (this.#held !== null && this.#link?.down !== true) return this.#held
    if (this.#closed) throw sessionErrors['agent-unreachable']('the attempt is over')
    if (this.#starts >= mostStarts) {
      throw sessionErrors['agent-unreachable'](`it was started ${mostStarts} times, and is not started again`)
    }
    this.#starts += 1
    const former = this.#link
    this.#link = null
    this.#held = this.#start(former)
    this.#held.catch(() => {})
    return this.#held
  }

  /** Ends it; resolves to the number of its processes that could not be ended. */
  async close(): Promise<number> {
    this.#closed = true
    // A start that has no link yet ends the former one, then itself.
    if (this.#link === null) await this.#held?.catch(() => {})
    if (this.#link !== null) this.#survivors += (await this.#link.stop()).survivors
    return this.#survivors
  }

  async #start(former: McpLink | null): Promise<HeldServer> {
    // The SDK takes a fifth of a second to load: only where tools are used.
    const { McpLink } = await import('./mcp-link.ts')
    if (former !== null) this.#survivors += (await former.stop()).survivors
    if (this.#closed) throw sessionErrors['agent-unreachable']('the attempt is over')
    const link = new McpLink(this.#options)
    this.#link = link
    try {
      await link.open()
      return { link, tools: await link.tools() }
    } catch (error) {
      link.giveUp()
      throw error
    }
  }
}
