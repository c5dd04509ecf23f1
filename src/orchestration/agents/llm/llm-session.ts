import type { TokenUse } from '../../../foundation/kernel/model-price.ts'
import { checkpointShare } from '../../context-growth/context-growth-contract.ts'
import type { ContextMeter } from '../../context-growth/context-meter.ts'
import { attemptErrorOf } from '../../runners/attempt-errors-contract.ts'
import type { Assignment, AttemptSpending } from '../../runners/exchange-contract.ts'
import type { ResolvedAgent } from '../../workflows/task-contract.ts'
import type { AgentAnswer, AgentSession, SessionContext, SessionEnd } from '../sessions/agent-session.ts'
import { createPathGuard } from '../sessions/path-guard.ts'
import { createPermissions, personaTools } from '../sessions/permissions.ts'
import { sessionErrors } from '../sessions/session-errors.ts'
import { SilenceWatch } from '../sessions/silence-watch.ts'
import { continuedPrompt, summaryRequest } from '../sessions/summary.ts'
import type { ToolGrants } from '../sessions/tool-grants.ts'
import { callModel } from './call-model.ts'
import { contextOf, type Message, type ModelAnswer, noModelUsage, sumOf } from './conversation.ts'
import { nextTurn } from './llm-bounds.ts'
import type { LlmDriverOptions } from './llm-driver.ts'
import { systemPrompt } from './llm-prompt.ts'
import { bytesOf, shortened } from './summarise.ts'
import { createAskTool } from './tools/ask-tool.ts'
import { createFileTools } from './tools/file-tools.ts'
import { grantedTools } from './tools/granted-tools.ts'
import { createListTool } from './tools/list-tool.ts'
import { createProcessRunner, type ProcessRunner } from './tools/run-process.ts'
import { createRunTool } from './tools/run-tool.ts'
import { createSearchTool } from './tools/search-tool.ts'
import type { Tool } from './tools/tool.ts'
import { createToolBox, type ToolBox } from './tools/tool-box.ts'
import { chatWire } from './wires/chat-wire.ts'
import type { LlmWire } from './wires/llm-wire.ts'
import { messagesWire } from './wires/messages-wire.ts'

const wires = { openai: chatWire, anthropic: messagesWire } as const
/** Where and with which key models are called: not for the commands of a model. */
const hidden = [chatWire.env, messagesWire.env].flatMap(({ url, key }) => [url, key])
/** Summaries of one attempt: who needs more goes round in circles. */
const mostSummaries = 20
const mostCallsATurn = 100
/** A token is some four bytes: good enough until the model has counted. */
const bytesPerToken = 4
/** From here on a conversation is cut before it is summed up. */
const tightShare = 0.9

/** A model at work on one attempt. */
export class LlmSession implements AgentSession {
  readonly #options: LlmDriverOptions
  readonly #assignment: Assignment
  readonly #context: SessionContext
  readonly #wire: LlmWire
  readonly #model: string
  readonly #startedAt = performance.now()
  readonly #silence: SilenceWatch
  /** Ends what the model is doing: on cancel, or when it is silent. */
  readonly #stop = new AbortController()
  readonly #meter: ContextMeter
  #box!: ToolBox
  #processes: ProcessRunner | null = null
  #grants: ToolGrants | null = null
  #messages: Message[] = []
  #spent = noModelUsage
  #microUsd: number | null = 0
  #turns = 0
  #summaries = 0
  /** Tokens in use, as the model has counted them, and bytes that came after. */
  #counted = 0
  #uncountedBytes = 0
  /** Its context is to be made smaller before it is asked again. */
  #due = false
  #priced: string

  constructor(options: LlmDriverOptions, assignment: Assignment, context: SessionContext) {
    this.#options = options
    this.#assignment = assignment
    this.#context = context
    const { settings, rules } = options
    this.#wire = wires[settings.wire]
    this.#model = context.config.model ?? settings.model
    this.#priced = this.#model
    this.#meter = options.meter(assignment)
    this.#silence = new SilenceWatch(rules.silenceMs, () => {
      const seconds = (rules.silenceMs ?? 0) / 1_000
      this.#stop.abort(sessionErrors['agent-silent'](`the model said nothing for ${seconds} s`))
    })
  }

  /** Whoever calls it calls `stop` in any case. @throws agent-auth, what MCP servers throw */
  async open(): Promise<void> {
    const { settings, rules, processes, tools: openGrants } = this.#options
    const context = this.#context
    const { url, key } = this.#wire.env
    if (context.env[url] === undefined || context.env[key] === undefined)
      throw sessionErrors['agent-auth']('it has no key to the model gateway: say `models` in its pool')
    const guard = await createPathGuard(context.workdir, [context.outdir])
    const { outputBytes, commandMs } = settings
    const runner = createProcessRunner(processes, this.#assignment, context, { hidden, outputBytes })
    this.#processes = runner
    const own: readonly Tool[] = [
      ...createFileTools(guard),
      createListTool(guard),
      createSearchTool(guard, runner.run),
      createRunTool(guard, runner.run, commandMs),
      createAskTool(context, rules.askMs),
    ].filter(({ name }) => settings.tools.some((wanted) => wanted === name))
    this.#grants = openGrants?.(this.#assignment, context) ?? null
    const further = this.#grants === null ? [] : await grantedTools(this.#grants, context.signal)
    this.#box = createToolBox({
      ...{ tools: [...own, ...further], context, outputBytes },
      permissions: createPermissions(rules.permissions, context, rules.askMs, personaTools(this.#assignment)),
      waiting: (answer) => this.#silence.waitFor(answer),
    })
  }

  async send(task: ResolvedAgent): Promise<AgentAnswer> {
    this.#say({ role: 'user', text: task.prompt })
    for (;;) {
      const answer = await this.#turn(task.prompt)
      if ('ended' in answer) return answer.ended
      const { text, calls, stop } = answer
      this.#messages.push({ role: 'assistant', text, calls })
      if (stop === 'refused') return failed(sessionErrors['agent-refused'](text === '' ? 'it refused the task' : text))
      if (calls.length === 0) {
        if (stop === 'length') return failed(sessionErrors['agent-limit']('its answer is longer than it may be'))
        await this.#context.answer(text)
        return { outcome: 'done', error: null }
      }
      if (calls.length > mostCallsATurn)
        return failed(sessionErrors['agent-limit'](`it calls ${calls.length} tools at once; ${mostCallsATurn} may be`))
      const results = []
      for (const call of calls) results.push(await this.#box.use(call))
      this.#say({ role: 'tools', results })
    }
  }

  cancel(reason: string): void {
    this.#stop.abort(reason)
  }

  usage(): AttemptSpending | undefined {
    if (this.#turns === 0) return undefined
    const { inputTokens, outputTokens, cacheReadTokens, cacheWriteTokens } = this.#spent
    return {
      // The gateway has charged every call.
      metered: true,
      ...{ inputTokens, outputTokens, model: this.#priced },
      ...(cacheReadTokens === 0 ? {} : { cacheReadTokens }),
      ...(cacheWriteTokens === 0 ? {} : { cacheWriteTokens }),
      ...(this.#microUsd === null ? {} : { microUsd: this.#microUsd }),
    }
  }

  async stop(): Promise<SessionEnd> {
    this.#silence.stop()
    this.#stop.abort('the attempt is over')
    const unended = (await this.#grants?.close()) ?? 0
    await this.#meter.close()
    return {
      usage: {
        ...{ cpuSeconds: this.#processes?.cpuSeconds ?? null, maxRssBytes: null },
        wallSeconds: (performance.now() - this.#startedAt) / 1_000,
      },
      survivors: (this.#processes?.survivors ?? 0) + unended,
      error: null,
    }
  }

  /** One answer of the model, its context made smaller before where it must be. */
  async #turn(task: string): Promise<ModelAnswer | { readonly ended: AgentAnswer }> {
    const { contextTokens } = this.#options.settings
    if (this.#due || (this.#messages.length > 1 && this.#inUse() >= checkpointShare * contextTokens)) {
      const ended = await this.#summarise(task)
      if (ended !== null) return { ended }
    }
    const room = this.#room(this.#inUse())
    if ('stop' in room) return { ended: failed(sessionErrors['agent-limit'](room.stop)) }
    const answer = await this.#ask(this.#messages, this.#box.definitions, room.mostTokens)
    this.#due = this.#meter.note(this.#counted, contextTokens).level === 'checkpoint'
    return answer
  }

  /** Resolves to null where the work goes on. */
  async #summarise(task: string): Promise<AgentAnswer | null> {
    const { contextTokens } = this.#options.settings
    if (this.#summaries >= mostSummaries)
      return failed(sessionErrors['agent-limit'](`it has filled its context ${mostSummaries} times`))
    this.#summaries += 1
    const inUse = Math.round(this.#inUse())
    await this.#context.note(`its context is nearly full (${inUse} of ${contextTokens} tokens): it sums up`)
    // The question and its answer must fit, too.
    const tight = inUse > tightShare * contextTokens
    const messages = tight ? shortened(this.#messages) : this.#messages
    const room = this.#room(tight ? bytesOf(messages) / bytesPerToken : inUse)
    if ('stop' in room) return failed(sessionErrors['agent-limit'](room.stop))
    const { text } = await this.#ask([...messages, { role: 'user', text: summaryRequest }], [], room.mostTokens)
    if (text.trim() === '') return failed(sessionErrors['agent-limit']('its context is full, and it does not sum up'))
    this.#messages = []
    this.#counted = 0
    this.#uncountedBytes = 0
    this.#due = false
    this.#say({ role: 'user', text: continuedPrompt(task, text) })
    this.#meter.summarised()
    return null
  }

  async #ask(messages: readonly Message[], tools: ToolBox['definitions'], mostTokens: number): Promise<ModelAnswer> {
    const { settings, fetch: ask, retryMs } = this.#options
    const context = this.#context
    const system = systemPrompt(settings.system, context.workdir, this.#depth)
    const { url, key } = this.#wire.env
    const answer = await callModel(
      { model: this.#model, system, messages, tools, mostTokens },
      {
        ...{ wire: this.#wire, url: context.env[url]!, key: context.env[key]! },
        ...(ask === undefined ? {} : { fetch: ask }),
        ...(retryMs === undefined ? {} : { waitMs: retryMs }),
        signal: AbortSignal.any([this.#stop.signal, this.#wall()]),
        onWords: (words) => this.#heard(() => context.log('stdout', Buffer.from(words))),
        onBytes: () => this.#silence.heard(),
        onRetry: (why) => context.note(why),
      },
    ).catch((error: unknown) => {
      throw this.#wallOver()
        ? sessionErrors['agent-limit'](`it has taken the ${settings.wallMs! / 1_000} s of its pool`)
        : error
    })
    if (answer.text !== '') await context.log('stdout', Buffer.from('\n'))
    this.#count(answer)
    return answer
  }

  #count({ usage, model }: ModelAnswer): void {
    this.#turns += 1
    this.#spent = sumOf(this.#spent, usage)
    this.#counted = contextOf(usage)
    this.#uncountedBytes = 0
    if (model !== '' && this.#cost(usage) === null) this.#priced = model
    const cost = this.#cost(usage)
    this.#microUsd = this.#microUsd === null || cost === null ? null : this.#microUsd + cost
  }

  #cost(use: TokenUse): number | null {
    return this.#options.costOf(this.#priced, use)
  }

  #room(context: number) {
    const state = {
      ...{ turns: this.#turns, spent: this.#spent, microUsd: this.#microUsd, context: Math.ceil(context) },
      elapsedMs: performance.now() - this.#startedAt,
    }
    return nextTurn(this.#options.settings, state, (use) => this.#cost(use))
  }

  #inUse(): number {
    return this.#counted + this.#uncountedBytes / bytesPerToken
  }

  #say(message: Message): void {
    this.#messages.push(message)
    this.#uncountedBytes += bytesOf([message])
  }

  #heard(tell: () => void | Promise<void>): void | Promise<void> {
    this.#context.progress()
    return tell()
  }

  get #depth(): string {
    const { spec } = this.#assignment
    return 'depth' in spec ? spec.depth : 'standard'
  }

  #wall(): AbortSignal {
    const { wallMs } = this.#options.settings
    if (wallMs === null) return new AbortController().signal
    return AbortSignal.timeout(Math.max(1, Math.ceil(wallMs - (performance.now() - this.#startedAt))))
  }

  #wallOver(): boolean {
    const { wallMs } = this.#options.settings
    return wallMs !== null && !this.#stop.signal.aborted && performance.now() - this.#startedAt >= wallMs
  }
}

function failed(error: Parameters<typeof attemptErrorOf>[0]): AgentAnswer {
  return { outcome: 'failed', error: attemptErrorOf(error) }
}
