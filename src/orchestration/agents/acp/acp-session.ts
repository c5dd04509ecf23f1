import { setImmediate } from 'node:timers/promises'
import {
  type ClientConnection,
  type InitializeResponse,
  methods,
  type NewSessionRequest,
  type NewSessionResponse,
  PROTOCOL_VERSION,
  type PromptResponse,
  RequestError,
  type SessionNotification,
} from '@agentclientprotocol/sdk'
import { isAppError, messageOf } from '../../../foundation/kernel/errors.ts'
import type { AcpSettings, SessionRules } from '../../../foundation/platform/config/agent-settings.ts'
import { enforcedBy } from '../../../foundation/platform/processes/index.ts'
import type { ContextMeter, OpenContextMeter } from '../../context-growth/context-meter.ts'
import { attemptErrorOf } from '../../runners/attempt-errors-contract.ts'
import type { Assignment, AttemptError } from '../../runners/exchange-contract.ts'
import type { ResolvedAgent } from '../../workflows/task-contract.ts'
import { LastLine } from '../last-line.ts'
import { ToolGate } from '../mcp/tool-gate.ts'
import { type AgentProcess, type AgentProcessHost, startAgentProcess } from '../sessions/agent-process.ts'
import type { AgentAnswer, AgentSession, SessionContext, SessionEnd } from '../sessions/agent-session.ts'
import { createPathGuard, type PathGuard } from '../sessions/path-guard.ts'
import { createPermissions, personaTools } from '../sessions/permissions.ts'
import { sessionErrors } from '../sessions/session-errors.ts'
import { SilenceWatch } from '../sessions/silence-watch.ts'
import { continuedPrompt, summaryRequest } from '../sessions/summary.ts'
import type { OpenToolGrants, ToolGrants } from '../sessions/tool-grants.ts'
import { createAcpHandlers } from './acp-handlers.ts'
import { changesFiles, leadsOut } from './acp-permissions.ts'
import type { SessionMemory } from './acp-resume.ts'
import { AcpTerminals } from './acp-terminals.ts'
import { kindOf, lineOf, startedCallOf, textOf } from './acp-text.ts'
import { AcpTransport } from './acp-transport.ts'
import { AcpUsage } from './acp-usage.ts'
import { isGrantedTool } from './granted-tool.ts'

export interface AcpSessionOptions {
  readonly settings: AcpSettings
  readonly rules: SessionRules
  readonly processes: AgentProcessHost
  readonly memory: SessionMemory
  /** Follows how full its context is. Default: nobody does. */
  readonly meter?: OpenContextMeter
  /** The tools that its pool grants it. */
  readonly tools: OpenToolGrants
}

const authRequired = -32_000
/** From the end of its standard input until the agent is told by signals. */
const leaveMs = 500
const graceMs = 2_000
/** Summaries of one attempt: who needs more goes round in circles. */
const mostSummaries = 20
const mostSummaryPieces = 10_000

/** One program that speaks the Agent Client Protocol, for one attempt. */
export class AcpSession implements AgentSession {
  readonly #options: AcpSessionOptions
  readonly #assignment: Assignment
  readonly #context: SessionContext
  readonly #transport = new AcpTransport()
  readonly #said = new LastLine()
  readonly #usage: AcpUsage
  readonly #silence: SilenceWatch
  /** Rejects when the session cannot go on, whatever it is waiting for. */
  readonly #broken = Promise.withResolvers<never>()
  #process!: AgentProcess
  #connection!: ClientConnection
  #guard!: PathGuard
  #terminals!: AcpTerminals
  readonly #grants: ToolGrants
  readonly #gate: ToolGate
  #sessionId = ''
  /** What a loaded session tells of its past is no answer. */
  #replaying = false
  #resumed = false
  readonly #meter: ContextMeter | null
  /** Whether the agent keeps sessions, so that another one costs it nothing. */
  #keepsSessions = false
  #summaries = 0
  /** Its context is to be made smaller: the turn was broken off for that. */
  #due = false
  /** Words that are for us and no answer. */
  #summary: string[] | null = null

  constructor(options: AcpSessionOptions, assignment: Assignment, context: SessionContext) {
    this.#options = options
    this.#assignment = assignment
    this.#context = context
    this.#meter = options.meter?.(assignment) ?? null
    this.#usage = new AcpUsage(context.config.model ?? options.settings.model)
    this.#silence = new SilenceWatch(options.rules.silenceMs, () => {
      const seconds = (options.rules.silenceMs ?? 0) / 1_000
      this.#broken.reject(sessionErrors['agent-silent'](`it said nothing for ${seconds} s`))
    })
    this.#broken.promise.catch(() => {})
    this.#grants = options.tools(assignment, context)
    this.#gate = new ToolGate({ grants: this.#grants, waitFor: (work) => this.#silence.waitFor(work) })
  }

  /** Starts the program and opens a session in the worktree. Whoever calls it calls `stop` in any case. */
  async open(): Promise<void> {
    const { settings, rules, processes } = this.#options
    const context = this.#context
    this.#guard = await createPathGuard(context.workdir, [context.outdir])
    this.#terminals = new AcpTerminals(processes, this.#assignment, context, this.#guard)
    await this.#gate.open()
    this.#process = await startAgentProcess(this.#withGate(), {
      assignment: this.#assignment,
      context,
      argv: settings.argv,
      stdin: 'pipe',
      graceMs,
      onStdout: (chunk) => {
        this.#said.write(chunk)
        return this.#transport.take(chunk)
      },
    })
    this.#process.ended.then(
      (end) => {
        this.#transport.close()
        const error = this.#process.errorOf(end)
        const how = error === null ? `the agent ended (exit code ${end.exitCode})` : error.message
        this.#broken.reject(sessionErrors['agent-unreachable'](`${how}, in the middle of its task`))
      },
      (error: unknown) => this.#broken.reject(error),
    )
    const handlers = createAcpHandlers({
      context,
      guard: this.#guard,
      permissions: createPermissions(rules.permissions, context, rules.askMs, personaTools(this.#assignment)),
      terminals: this.#terminals,
      silence: this.#silence,
      toolServers: this.#grants.servers,
      onBreach: (message) => this.#broken.reject(sessionErrors['agent-protocol'](message)),
    }).onNotification(methods.client.session.update, ({ params }) => this.#transport.follow(this.#onUpdate(params)))
    this.#connection = handlers.connect(this.#transport.stream(this.#process.stdin!))
    this.#connection.closed.then(() => {
      const cause = messageOf(this.#connection.signal.reason)
      this.#broken.reject(sessionErrors['agent-protocol'](`the connection to the agent broke: ${cause}`))
    })
    await this.#within(settings.startMs, this.#begin())
  }

  async #begin(): Promise<void> {
    const { settings } = this.#options
    const { agent } = this.#connection
    const init = await this.#asked(
      agent.request(methods.agent.initialize, {
        protocolVersion: PROTOCOL_VERSION,
        clientCapabilities: { fs: { readTextFile: true, writeTextFile: true }, terminal: true },
        clientInfo: { name: 'leanvibe', version: '0.1.0' },
      }),
    )
    if (init?.protocolVersion !== PROTOCOL_VERSION) {
      const version = JSON.stringify(init?.protocolVersion ?? null)
      throw sessionErrors['agent-protocol'](`it speaks version ${version} of the protocol, not ${PROTOCOL_VERSION}`)
    }
    if (settings.auth !== null) {
      await this.#asked(agent.request(methods.agent.authenticate, { methodId: settings.auth }))
    }
    const session = await this.#openSession(init)
    await this.#choose(session)
  }

  async #openSession(init: InitializeResponse): Promise<NewSessionResponse> {
    const { settings, memory } = this.#options
    const { taskId, attempt } = this.#assignment
    const { agent } = this.#connection
    const program = settings.argv.join(' ')
    const can = init.agentCapabilities
    const canResume = Boolean(can?.sessionCapabilities?.resume) || can?.loadSession === true
    this.#keepsSessions = canResume
    const place: NewSessionRequest = { cwd: this.#context.workdir, mcpServers: this.#mcpServers() }
    if (settings.resume && canResume && attempt > 1) {
      const sessionId = await memory.recall(taskId, program)
      if (sessionId !== null) {
        try {
          this.#sessionId = sessionId
          this.#replaying = true
          const method = can?.sessionCapabilities?.resume ? methods.agent.session.resume : methods.agent.session.load
          const answer = await this.#asked(agent.request(method, { ...place, sessionId }))
          this.#resumed = true
          await this.#context.note(`goes on with the session ${sessionId}`)
          return { ...answer, sessionId }
        } catch (error) {
          if (!isAppError(error, 'agent-failed')) throw error
          await this.#context.note(`the session of the attempt before cannot be resumed: ${error.message}`)
        }
      }
    }
    const session = await this.#newSession(place)
    if (settings.resume && canResume) await memory.remember(taskId, program, session.sessionId)
    return session
  }

  /** Granted tools, each call of which passes through us. */
  #mcpServers() {
    return this.#gate.doors.map(({ name, command, args }) => ({ name, command, args: [...args], env: [] }))
  }

  /** Within its bounds the agent reaches the tools, too. */
  #withGate(): AgentProcessHost {
    const { processes } = this.#options
    const { folder } = this.#gate
    if (folder === null) return processes
    return { ...processes, rules: { ...processes.rules, write: [...processes.rules.write, folder] } }
  }

  /** Mode and model, where the step or the pool names them. */
  async #choose(session: NewSessionResponse): Promise<void> {
    const { settings } = this.#options
    const { agent } = this.#connection
    const sessionId = this.#sessionId
    const mode = this.#context.config.mode ?? settings.mode
    const model = this.#context.config.model ?? settings.model
    if (mode !== null && mode !== undefined) {
      await this.#asked(agent.request(methods.agent.session.setMode, { sessionId, modeId: mode }))
    }
    if (model === null || model === undefined) return
    const option = session.configOptions?.find(({ category, id }) => category === 'model' || id === 'model')
    if (option !== undefined) {
      const choice = { sessionId, configId: option.id, value: model }
      await this.#asked(agent.request(methods.agent.session.setConfigOption, choice))
      return
    }
    // The way of agents from before options had names.
    await this.#asked(agent.request('session/set_model', { sessionId, modelId: model }))
  }

  async #newSession(place: NewSessionRequest): Promise<NewSessionResponse> {
    const session = await this.#asked(this.#connection.agent.request(methods.agent.session.new, place))
    if (typeof session?.sessionId !== 'string' || session.sessionId === '') {
      throw sessionErrors['agent-protocol']('it opened a session without a name')
    }
    this.#sessionId = session.sessionId
    return session
  }

  async send(task: ResolvedAgent): Promise<AgentAnswer> {
    let text = this.#resumed ? resumedPrompt(this.#context.workdir, task.prompt) : task.prompt
    for (;;) {
      const answer = await this.#prompt(text)
      if (this.#due && answer?.stopReason === 'cancelled' && !this.#context.signal.aborted) {
        text = continuedPrompt(task.prompt, await this.#beginAnew())
        continue
      }
      const end = answerOf(answer)
      if (end.outcome === 'done') await this.#options.memory.forget(this.#assignment.taskId)
      return end
    }
  }

  async #prompt(text: string): Promise<PromptResponse> {
    if (this.#replaying) {
      // What it told of the past came before its answers, but may still be on its way to us.
      await setImmediate()
      this.#replaying = false
    }
    const answer = await this.#asked(
      this.#connection.agent.request(methods.agent.session.prompt, {
        sessionId: this.#sessionId,
        prompt: [{ type: 'text', text }],
      }),
    )
    this.#usage.turn(answer)
    return answer
  }

  /** Has the agent write down what it needs, and opens a fresh session for it. Resolves to what it wrote. */
  async #beginAnew(): Promise<string> {
    await this.#context.note('its context is nearly full: it sums up, and goes on in a fresh session')
    this.#summary = []
    const answer = await this.#prompt(summaryRequest)
    // What it said came before its answer, but may still be on its way to us.
    await setImmediate()
    const summary = this.#summary.join('').trim()
    this.#summary = null
    if (answer?.stopReason !== 'end_turn' || summary === '')
      throw sessionErrors['agent-limit']('its context is full, and it does not sum up')
    await this.#choose(await this.#newSession({ cwd: this.#context.workdir, mcpServers: this.#mcpServers() }))
    this.#summaries += 1
    this.#due = false
    this.#meter?.summarised()
    return summary
  }

  /** Breaks the turn off where its context will not last. */
  #noteContext(used: unknown, size: unknown): void {
    if (!isCount(used) || !isCount(size) || size === 0) return
    const level = this.#meter?.note(used, size).level
    if (level !== 'checkpoint' || this.#due || this.#summary !== null) return
    if (!this.#keepsSessions || this.#summaries >= mostSummaries) return
    this.#due = true
    this.#connection.agent
      .notify(methods.agent.session.cancel, { sessionId: this.#sessionId })
      .catch((error: unknown) => this.#broken.reject(error))
  }

  async cancel(): Promise<void> {
    await this.#connection.agent.notify(methods.agent.session.cancel, { sessionId: this.#sessionId })
  }

  usage() {
    return this.#usage.spending
  }

  async stop(): Promise<SessionEnd> {
    this.#silence.stop()
    await this.#meter?.close()
    const from = performance.now()
    await this.#gate.close()
    const tools = this.#grants.close()
    if (this.#process === undefined) {
      await tools
      const usage = { cpuSeconds: null, maxRssBytes: null, wallSeconds: (performance.now() - from) / 1_000 }
      return { usage, survivors: 0, error: null }
    }
    this.#process.stdin?.end()
    const leave = setTimeout(() => this.#process.stop(graceMs), leaveMs)
    const survivors = ((await this.#terminals?.close()) ?? 0) + (await tools)
    try {
      const end = await this.#process.ended
      const error = end.breach === null ? null : this.#process.errorOf(end)
      return { usage: end.usage, survivors: survivors + end.survivors, error }
    } finally {
      clearTimeout(leave)
      this.#connection?.close()
    }
  }

  #onUpdate({ sessionId, update }: SessionNotification): void | Promise<void> {
    this.#silence.heard()
    this.#context.progress()
    if (this.#replaying || sessionId !== this.#sessionId) return
    if (update.sessionUpdate === 'agent_message_chunk') {
      if (this.#summary === null) return this.#context.say(textOf(update.content))
      if (this.#summary.length < mostSummaryPieces) this.#summary.push(textOf(update.content))
      return
    }
    if (update.sessionUpdate === 'usage_update') {
      this.#usage.cost(update.cost)
      this.#noteContext(update.used, update.size)
    }
    const line = lineOf(update)
    const noted = line === null ? undefined : this.#context.note(line)
    if (update.sessionUpdate !== 'tool_call' && update.sessionUpdate !== 'tool_call_update') return noted
    this.#tellCall(update)
    if (!changesFiles(kindOf(update.kind)) || update.status === 'failed') return noted
    return Promise.all([noted, this.#checkPlaces(update)]).then(() => {})
  }

  /** Tools that its pool grants are told where their calls pass through us. */
  #tellCall(update: Extract<SessionNotification['update'], { sessionUpdate: 'tool_call' | 'tool_call_update' }>): void {
    const { tools } = this.#context
    if (update.sessionUpdate === 'tool_call' && !isGrantedTool(update, this.#grants.servers)) {
      tools.started(update.toolCallId, startedCallOf(update))
    }
    if (update.status === 'completed' || update.status === 'failed') tools.ended(update.toolCallId, update.status)
  }

  /** Where nothing keeps the agent's own tools in the worktree, leaving it ends the attempt. */
  async #checkPlaces(update: Parameters<typeof leadsOut>[0]): Promise<void> {
    const { host, rules } = this.#options.processes
    if (enforcedBy(host, rules).files || !(await leadsOut(update, this.#guard))) return
    const places = (update.locations ?? []).map(({ path }) => path).join(', ')
    this.#broken.reject(sessionErrors['path-outside'](`it changes files outside its worktree: ${places}`))
  }

  /** An answer of the agent, or the reason why there will be none. */
  async #asked<T>(answer: Promise<T>): Promise<T> {
    try {
      return await Promise.race([answer, this.#broken.promise])
    } catch (error) {
      throw await this.#explain(error)
    }
  }

  async #explain(error: unknown): Promise<unknown> {
    if (isAppError(error)) return error
    if (error instanceof RequestError) {
      const text = `${error.message}${error.data === undefined ? '' : `: ${JSON.stringify(error.data)}`}`.slice(
        0,
        2_000,
      )
      return error.code === authRequired ? sessionErrors['agent-auth'](text) : sessionErrors['agent-failed'](text)
    }
    // The connection is gone; why, the process tells in a moment.
    const ended = this.#process.ended.then(
      () => true,
      () => true,
    )
    const late = new Promise<false>((resolve) => setTimeout(() => resolve(false), leaveMs).unref())
    if (await Promise.race([ended, late])) return this.#broken.promise.catch((cause: unknown) => cause)
    return sessionErrors['agent-protocol'](messageOf(error))
  }

  async #within<T>(ms: number, work: Promise<T>): Promise<T> {
    const { signal } = this.#context
    const late = Promise.withResolvers<never>()
    const timer = setTimeout(() => {
      const last = this.#said.text
      const words = last === '' || last.startsWith('{') ? '' : `; it printed: ${last}`
      late.reject(sessionErrors['agent-unreachable'](`it did not come up within ${ms / 1_000} s${words}`))
    }, ms)
    const onAbort = () => late.reject(sessionErrors['agent-unreachable'](String(signal.reason)))
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
    late.promise.catch(() => {})
    work.catch(() => {})
    try {
      return await Promise.race([work, late.promise])
    } finally {
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
    }
  }
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function answerOf(answer: PromptResponse): AgentAnswer {
  const failed = (error: AttemptError): AgentAnswer => ({ outcome: 'failed', error })
  switch (answer?.stopReason) {
    case 'end_turn':
      return { outcome: 'done', error: null }
    case 'cancelled':
      return {
        outcome: 'cancelled',
        error: attemptErrorOf(sessionErrors['agent-failed']('it says that its work was cancelled')),
      }
    case 'refusal':
      return failed(attemptErrorOf(sessionErrors['agent-refused']('it refused the task')))
    case 'max_tokens':
      return failed(attemptErrorOf(sessionErrors['agent-limit']('its answer is longer than it may be')))
    case 'max_turn_requests':
      return failed(attemptErrorOf(sessionErrors['agent-limit']('it needs more turns than it may take')))
    default: {
      const reason = JSON.stringify(answer?.stopReason ?? null).slice(0, 200)
      return failed(attemptErrorOf(sessionErrors['agent-protocol'](`it stopped for the unknown reason ${reason}`)))
    }
  }
}

function resumedPrompt(workdir: string, prompt: string): string {
  return `The attempt before this one did not succeed. You are in a new working folder, ${workdir}, as the repository was when the task began: nothing that you changed before is in it. Do the task again.\n\n${prompt}`
}
