import { isAppError, messageOf } from '../../../foundation/kernel/errors.ts'
import type { JsonObject } from '../../../foundation/kernel/json.ts'
import type { SessionRules } from '../../../foundation/platform/config/agent-settings.ts'
import { ruleOfTool, type ToolServerSettings } from '../../../foundation/platform/config/tool-settings.ts'
import type { Assignment } from '../../runners/exchange-contract.ts'
import type { AgentProcessHost } from '../sessions/agent-process.ts'
import type { SessionContext } from '../sessions/agent-session.ts'
import { createPermissions } from '../sessions/permissions.ts'
import type { GrantedTool, OpenToolGrants, ToolAnswer, ToolCall, ToolGrants } from '../sessions/tool-grants.ts'
import { refusalOf } from './check-call.ts'
import { qualifiedNames } from './qualified-names.ts'
import type { ServerSecrets } from './server-secrets.ts'
import { answerOf, failedAnswer } from './tool-content.ts'
import { type HeldServer, ToolServer } from './tool-server.ts'

export interface ToolHubOptions {
  readonly servers: readonly ToolServerSettings[]
  readonly rules: SessionRules
  readonly processes: AgentProcessHost
  readonly secrets: ServerSecrets
  /** What programs of servers get besides their own variables; nothing of the agent's. */
  readonly env: Readonly<Record<string, string>>
}

/** Calls that one attempt may have under way at a time. */
const mostOpen = 32
/** Characters of arguments in a line of the log. */
const shownArguments = 500

/** The tools of MCP servers that a pool grants its agents. */
export function openToolHub(options: ToolHubOptions): OpenToolGrants {
  return (assignment, context) => new ToolHub(options, assignment, context)
}

class ToolHub implements ToolGrants {
  readonly #options: ToolHubOptions
  readonly #context: SessionContext
  readonly #servers: ReadonlyMap<string, ToolServer>
  #open = 0
  #calls = 0
  #closed = false

  constructor(options: ToolHubOptions, assignment: Assignment, context: SessionContext) {
    this.#options = options
    this.#context = context
    const { processes, secrets, rules, env } = options
    // What a server prints is no sign that its agent is at work.
    const quiet: SessionContext = { ...context, env: { ...env, ...markersOf(context.env) }, progress: () => {} }
    const shared = { processes, secrets, assignment, context: quiet, askMs: rules.askMs }
    this.#servers = new Map(
      options.servers.map((settings) => [
        settings.name,
        new ToolServer({ ...shared, settings, onSign: () => context.progress() }),
      ]),
    )
  }

  get servers(): readonly string[] {
    return [...this.#servers.keys()]
  }

  async list(server?: string): Promise<readonly GrantedTool[]> {
    const wanted = [...this.#servers.values()].filter(
      ({ settings }) => server === undefined || settings.name === server,
    )
    const found = await Promise.all(wanted.map((each) => this.#toolsOf(each)))
    const all = found.flat()
    const names = qualifiedNames(all.map(({ settings, tool }) => [settings.name, tool.name]))
    return all.map(({ settings, tool }, index): GrantedTool => {
      const { rule } = ruleOfTool(settings, tool.name)
      return {
        ...{ server: settings.name, name: tool.name, qualified: names[index]! },
        description: tool.description ?? null,
        inputSchema: tool.inputSchema as JsonObject,
        permission: rule === 'allow' ? 'allow' : 'ask',
      }
    })
  }

  async call(call: ToolCall, signal?: AbortSignal): Promise<ToolAnswer> {
    const over = signal === undefined ? this.#context.signal : AbortSignal.any([signal, this.#context.signal])
    over.throwIfAborted()
    const what = `${call.server.slice(0, 60)}.${call.tool.slice(0, 200)}`
    if (this.#closed) return failedAnswer('the attempt is over')
    this.#calls += 1
    const count = this.#calls
    const { tools } = this.#context
    const title = `call ${call.tool.slice(0, 200)} of ${call.server.slice(0, 60)}`
    tools.started(keyOf(count), { tool: what, kind: 'other', title })
    if (this.#open >= mostOpen) return this.#refuse(what, count, `more than ${mostOpen} calls are under way`)
    this.#open += 1
    try {
      const answer = await this.#perform(call, what, count, over)
      // What was refused has ended already.
      tools.ended(keyOf(count), answer.isError ? 'failed' : 'completed')
      return answer
    } finally {
      this.#open -= 1
    }
  }

  async close(): Promise<number> {
    this.#closed = true
    const left = await Promise.all([...this.#servers.values()].map((server) => server.close()))
    return left.reduce((sum, survivors) => sum + survivors, 0)
  }

  async #perform(call: ToolCall, what: string, count: number, signal: AbortSignal): Promise<ToolAnswer> {
    const server = this.#servers.get(call.server)
    if (server === undefined) return this.#refuse(what, count, `no server ${call.server.slice(0, 60)} is granted`)
    const { settings } = server
    if (ruleOfTool(settings, call.tool).rule === 'off') {
      return this.#refuse(what, count, `the pool does not allow ${call.tool.slice(0, 200)}`)
    }
    let held: HeldServer
    try {
      held = await server.hold()
    } catch (error) {
      signal.throwIfAborted()
      return this.#refuse(what, count, `the server ${settings.name} cannot be had: ${this.#plain(error)}`)
    }
    const tool = held.tools.find(({ name }) => name === call.tool)
    if (tool === undefined)
      return this.#refuse(what, count, `the server ${settings.name} has no tool ${call.tool.slice(0, 200)}`)
    const refusal = refusalOf(settings, tool, call.arguments)
    if (refusal !== null) return this.#refuse(what, count, refusal)
    const verdict = await this.#permissions(settings, tool.name).decide({
      ...{ key: `tool/${count}/${what}`.slice(0, 200), kind: 'other', tool: tool.name, outside: false },
      title: `call ${tool.name} of ${settings.name}: ${shown(call.arguments)}`,
      details: { server: settings.name, arguments: boundedArguments(call.arguments) },
    })
    if (!verdict.allowed) return this.#refuse(what, count, verdict.reason ?? 'it was refused')
    await this.#note(`tool ${what} ${shown(call.arguments)}: allowed by ${verdict.by}`)
    const from = performance.now()
    const took = () => `${Math.round(performance.now() - from)} ms`
    try {
      const result = await held.link.call(tool.name, call.arguments, signal)
      const answer = answerOf(result, (value) => held.link.masker.json(value))
      const how = answer.isError ? `failed: ${answer.text.slice(0, 300)}` : `answered ${answer.text.length} characters`
      await this.#note(`tool ${what}: ${how} after ${took()}`)
      return answer
    } catch (error) {
      signal.throwIfAborted()
      const text = this.#plain(error)
      await this.#note(`tool ${what}: failed after ${took()}: ${text}`)
      return failedAnswer(text)
    }
  }

  async #toolsOf(server: ToolServer) {
    const { settings } = server
    try {
      const { tools } = await server.hold()
      const granted = tools.filter(({ name }) => ruleOfTool(settings, name).rule !== 'off')
      return granted.map((tool) => ({ settings, tool }))
    } catch (error) {
      this.#context.signal.throwIfAborted()
      await this.#note(`the tools of ${settings.name} cannot be had: ${this.#plain(error)}`)
      return []
    }
  }

  /** People may allow one tool of one server for the rest of the attempt. */
  readonly #decided = new Map<string, ReturnType<typeof createPermissions>>()

  #permissions(settings: ToolServerSettings, tool: string): ReturnType<typeof createPermissions> {
    const key = `${settings.name}/${tool}`
    const known = this.#decided.get(key)
    if (known !== undefined) return known
    const { rules } = this.#options
    const { rule } = ruleOfTool(settings, tool)
    const made = createPermissions(
      { kinds: rules.permissions.kinds, tools: { [tool]: rule } },
      this.#context,
      rules.askMs,
    )
    this.#decided.set(key, made)
    return made
  }

  async #refuse(what: string, count: number, reason: string): Promise<ToolAnswer> {
    this.#context.tools.ended(keyOf(count), 'refused')
    await this.#note(`tool ${what}: refused: ${reason}`)
    return failedAnswer(`refused: ${reason}`)
  }

  async #note(line: string): Promise<void> {
    await this.#context.note(this.#context.masker.text(line))
  }

  #plain(error: unknown): string {
    return isAppError(error) ? `${error.message} (${error.code})` : messageOf(error).slice(0, 500)
  }
}

/** Names a call of the hub among all that its agent makes. */
function keyOf(count: number): string {
  return `granted/${count}`
}

function shown(args: JsonObject): string {
  const text = JSON.stringify(args)
  return text.length <= shownArguments ? text : `${text.slice(0, shownArguments)}…`
}

/** What people and programs see of the arguments; questions have a limit of 64 KiB. */
function boundedArguments(args: JsonObject): JsonObject {
  const text = JSON.stringify(args)
  return text.length <= 32_768 ? args : { cut: text.slice(0, 32_768) }
}

/** By these what an attempt has started is found again. */
function markersOf(env: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => markers.has(name)))
}

const markers: ReadonlySet<string> = new Set(['LEANVIBE_ATTEMPT', 'LEANVIBE_NODE', 'LEANVIBE_PACKAGE'])
