import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { CallToolResult } from '@modelcontextprotocol/client'
import type { JsonObject } from '../../../foundation/kernel/json.ts'
import type { SessionRules } from '../../../foundation/platform/config/agent-settings.ts'
import { type McpSettings, ruleOfTool } from '../../../foundation/platform/config/tool-settings.ts'
import { attemptErrorOf } from '../../runners/attempt-errors-contract.ts'
import type { Assignment } from '../../runners/exchange-contract.ts'
import type { ResolvedAgent } from '../../workflows/task-contract.ts'
import type { AgentProcessHost } from '../sessions/agent-process.ts'
import type { AgentAnswer, AgentSession, SessionContext, SessionEnd } from '../sessions/agent-session.ts'
import { createPermissions } from '../sessions/permissions.ts'
import { sessionErrors } from '../sessions/session-errors.ts'
import { SilenceWatch } from '../sessions/silence-watch.ts'
import { refusalOf } from './check-call.ts'
import { McpLink } from './mcp-link.ts'
import type { ServerSecrets } from './server-secrets.ts'
import { argumentsFor, toolOf } from './step-call.ts'
import { wordsOf } from './tool-content.ts'

export interface McpSessionOptions {
  readonly settings: McpSettings
  readonly rules: SessionRules
  readonly processes: AgentProcessHost
  readonly secrets: ServerSecrets
}

/** Pictures and sounds of one answer that are kept. */
const mostFiles = 20

/** One MCP server, for one attempt: its answer to a single call is the answer to the task. */
export class McpSession implements AgentSession {
  readonly #options: McpSessionOptions
  readonly #context: SessionContext
  readonly #link: McpLink
  readonly #silence: SilenceWatch
  readonly #silent = Promise.withResolvers<never>()
  readonly #cancelled = new AbortController()
  readonly #from = performance.now()

  constructor(options: McpSessionOptions, assignment: Assignment, context: SessionContext) {
    const { settings, rules, processes, secrets } = options
    this.#options = options
    this.#silence = new SilenceWatch(rules.silenceMs, () => {
      this.#silent.reject(sessionErrors['agent-silent'](`it said nothing for ${(rules.silenceMs ?? 0) / 1_000} s`))
    })
    this.#silent.promise.catch(() => {})
    // While people are asked, it is not its turn to speak.
    this.#context = { ...context, ask: (question) => this.#silence.waitFor(context.ask(question)) }
    this.#link = new McpLink({
      ...{ settings: settings.server, processes, secrets, assignment, askMs: rules.askMs },
      context: this.#context,
      onSign: () => {
        this.#silence.heard()
        context.progress()
      },
    })
  }

  open(): Promise<void> {
    return this.#link.open()
  }

  async send(task: ResolvedAgent): Promise<AgentAnswer> {
    const { settings } = this.#options
    const { config, signal } = this.#context
    const tools = await this.#link.tools()
    const tool = toolOf(settings, config, tools)
    const args = argumentsFor(settings, config, tool, task.prompt)
    const title = `call ${tool.name} of ${settings.server.name}`
    this.#context.tools.started('call', { tool: tool.name, kind: 'other', title })
    await this.#admit(tool, args).catch((error: unknown) => this.#rethrow(error, 'refused'))
    await this.#context.note(`calls ${tool.name}`)
    this.#context.progress(`calls ${tool.name}`)
    const over = AbortSignal.any([signal, this.#cancelled.signal])
    const answer = Promise.race([this.#link.call(tool.name, args, over), this.#silent.promise])
    const result = await answer.catch((error: unknown) => this.#rethrow(error, 'failed'))
    this.#context.tools.ended('call', result.isError === true ? 'failed' : 'completed')
    return this.#tell(result)
  }

  cancel(reason: string): void {
    this.#cancelled.abort(sessionErrors['agent-failed'](`it was cancelled: ${reason}`))
  }

  usage() {
    return undefined
  }

  async stop(): Promise<SessionEnd> {
    this.#silence.stop()
    const end = await this.#link.stop()
    if (end.usage.cpuSeconds !== null) return end
    return { ...end, usage: { ...end.usage, wallSeconds: (performance.now() - this.#from) / 1_000 } }
  }

  /** What the end of the attempt has cut off is told when all is over. */
  #rethrow(error: unknown, end: 'failed' | 'refused'): never {
    if (!this.#context.signal.aborted) this.#context.tools.ended('call', end)
    throw error
  }

  /** @throws agent-refused, permission-denied */
  async #admit(tool: Parameters<typeof refusalOf>[1], args: JsonObject): Promise<void> {
    const { settings, rules } = this.#options
    const refusal = refusalOf(settings.server, tool, args)
    if (refusal !== null) {
      const { rule } = ruleOfTool(settings.server, tool.name)
      throw sessionErrors[rule === 'off' ? 'permission-denied' : 'agent-refused'](refusal)
    }
    const { rule } = ruleOfTool(settings.server, tool.name)
    const permissions = createPermissions(
      { kinds: rules.permissions.kinds, tools: { [tool.name]: rule } },
      this.#context,
      rules.askMs,
    )
    const verdict = await permissions.decide({
      ...{ key: `call/${tool.name}`.slice(0, 200), kind: 'other', tool: tool.name, outside: false },
      title: `call ${tool.name} of ${settings.server.name}`,
      details: { arguments: args },
    })
    if (!verdict.allowed) throw sessionErrors['permission-denied'](`${tool.name}: ${verdict.reason ?? 'refused'}`)
  }

  async #tell(result: CallToolResult): Promise<AgentAnswer> {
    const { masker } = this.#link
    const text = masker.text(result.content.map(wordsOf).join('\n'))
    if (result.isError === true) {
      await this.#context.note(text)
      const error = sessionErrors['agent-failed'](text.slice(0, 2_000) || 'the tool said that it has failed')
      return { outcome: 'failed', error: attemptErrorOf(error) }
    }
    if (text !== '') await this.#context.say(text)
    await this.#keepFiles(result)
    const values = result.structuredContent as JsonObject | undefined
    return { outcome: 'done', error: null, ...(values === undefined ? {} : { values: masker.json(values) }) }
  }

  /** Pictures and sounds become artifacts. */
  async #keepFiles({ content }: CallToolResult): Promise<void> {
    const files = content.flatMap((each) => (each.type === 'image' || each.type === 'audio' ? [each] : []))
    for (const [index, { data, mimeType }] of files.slice(0, mostFiles).entries()) {
      const ending = /^\w+\/(\w{1,10})/.exec(mimeType)?.[1] ?? 'bin'
      await writeFile(join(this.#context.outdir, `answer-${index + 1}.${ending}`), Buffer.from(data, 'base64'))
    }
  }
}
