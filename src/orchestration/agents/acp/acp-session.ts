import { setImmediate } from 'node:timers/promises'
import { type ClientConnection, methods, type PromptResponse, type SessionNotification } from '@agentclientprotocol/sdk'
import { messageOf } from '../../../foundation/kernel/errors.ts'
import type { AcpSettings, SessionRules } from '../../../foundation/platform/config/agent-settings.ts'
import { enforcedBy } from '../../../foundation/platform/processes/index.ts'
import type { ContextMeter, OpenContextMeter } from '../../context-growth/context-meter.ts'
import type { Assignment } from '../../runners/exchange-contract.ts'
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
import { AcpAnswers } from './acp-answers.ts'
import { createAcpHandlers } from './acp-handlers.ts'
import { AcpOpening } from './acp-opening.ts'
import { changesFiles, leadsOut } from './acp-permissions.ts'
import type { SessionMemory } from './acp-resume.ts'
import { AcpTerminals } from './acp-terminals.ts'
import { kindOf, lineOf, startedCallOf, textOf } from './acp-text.ts'
import { AcpTransport } from './acp-transport.ts'
import { answerOf, resumedPrompt } from './acp-turn.ts'
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
  readonly #answers = new AcpAnswers(leaveMs)
  #process!: AgentProcess
  #connection!: ClientConnection
  #opening!: AcpOpening
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
      this.#answers.breakOff(sessionErrors['agent-silent'](`it said nothing for ${seconds} s`))
    })
    this.#grants = options.tools(assignment, context)
    this.#gate = new ToolGate({ grants: this.#grants, waitFor: (work) => this.#silence.waitFor(work) })
  }

  /** Starts the program and opens a session in the worktree. Whoever calls it calls `stop` in any case. */
  async open(): Promise<void> {
    const { settings, rules, processes, memory } = this.#options
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
    this.#answers.follow(this.#process, () => this.#transport.close())
    const handlers = createAcpHandlers({
      context,
      guard: this.#guard,
      permissions: createPermissions(rules.permissions, context, rules.askMs, personaTools(this.#assignment)),
      terminals: this.#terminals,
      silence: this.#silence,
      toolServers: this.#grants.servers,
      onBreach: (message) => this.#answers.breakOff(sessionErrors['agent-protocol'](message)),
    }).onNotification(methods.client.session.update, ({ params }) => this.#transport.follow(this.#onUpdate(params)))
    this.#connection = handlers.connect(this.#transport.stream(this.#process.stdin!))
    this.#connection.closed.then(() => {
      const cause = messageOf(this.#connection.signal.reason)
      this.#answers.breakOff(sessionErrors['agent-protocol'](`the connection to the agent broke: ${cause}`))
    })
    this.#opening = new AcpOpening({
      ...{ settings, memory, context, assignment: this.#assignment, agent: this.#connection.agent },
      asked: (answer) => this.#answers.asked(answer),
      mcpServers: this.#gate.doors.map(({ name, command, args }) => ({ name, command, args: [...args], env: [] })),
      onSession: (sessionId, replays) => {
        this.#sessionId = sessionId
        this.#replaying ||= replays
      },
    })
    const opening = this.#opening.begin()
    const opened = await this.#answers.within(settings.startMs, opening, context.signal, () => this.#said.text)
    this.#resumed = opened.resumed
    this.#keepsSessions = opened.keepsSessions
  }

  /** Within its bounds the agent reaches the tools, too. */
  #withGate(): AgentProcessHost {
    const { processes } = this.#options
    const { folder } = this.#gate
    if (folder === null) return processes
    return { ...processes, rules: { ...processes.rules, write: [...processes.rules.write, folder] } }
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
    const answer = await this.#answers.asked(
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
    await this.#opening.beginAnew()
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
      .catch((error: unknown) => this.#answers.breakOff(error))
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
    this.#answers.breakOff(sessionErrors['path-outside'](`it changes files outside its worktree: ${places}`))
  }
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}
