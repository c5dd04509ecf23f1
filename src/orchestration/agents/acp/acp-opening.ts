import {
  type ClientConnection,
  type InitializeResponse,
  methods,
  type NewSessionRequest,
  type NewSessionResponse,
  PROTOCOL_VERSION,
} from '@agentclientprotocol/sdk'
import { isAppError } from '../../../foundation/kernel/errors.ts'
import type { AcpSettings } from '../../../foundation/platform/config/agent-settings.ts'
import type { Assignment } from '../../runners/exchange-contract.ts'
import type { SessionContext } from '../sessions/agent-session.ts'
import { sessionErrors } from '../sessions/session-errors.ts'
import type { SessionMemory } from './acp-resume.ts'

export interface AcpOpeningOptions {
  readonly settings: AcpSettings
  readonly memory: SessionMemory
  readonly assignment: Assignment
  readonly context: SessionContext
  readonly agent: ClientConnection['agent']
  /** An answer of the agent, or the reason why there will be none. */
  readonly asked: <T>(answer: Promise<T>) => Promise<T>
  /** Granted tools, each call of which passes through us. */
  readonly mcpServers: NewSessionRequest['mcpServers']
  /** A session has its name. `replays`: until its first turn it tells of its past. */
  readonly onSession: (sessionId: string, replays: boolean) => void
}

/** What of the past an opened session has. */
export interface OpenedAcpSession {
  readonly resumed: boolean
  /** Whether the agent keeps sessions, so that another one costs it nothing. */
  readonly keepsSessions: boolean
}

/** Opens sessions of one agent: the first, resumed where there was one, and fresh ones later. */
export class AcpOpening {
  readonly #options: AcpOpeningOptions

  constructor(options: AcpOpeningOptions) {
    this.#options = options
  }

  async begin(): Promise<OpenedAcpSession> {
    const { settings, agent, asked } = this.#options
    const init = await asked(
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
    if (settings.auth !== null) await asked(agent.request(methods.agent.authenticate, { methodId: settings.auth }))
    const can = init.agentCapabilities
    const keepsSessions = Boolean(can?.sessionCapabilities?.resume) || can?.loadSession === true
    const former = keepsSessions ? await this.#resume(init) : null
    if (former !== null) {
      await this.#choose(former)
      return { resumed: true, keepsSessions }
    }
    const session = await this.#new()
    const { memory, assignment } = this.#options
    if (settings.resume && keepsSessions) await memory.remember(assignment.taskId, this.#program, session.sessionId)
    await this.#choose(session)
    return { resumed: false, keepsSessions }
  }

  /** One that knows nothing of those before. */
  async beginAnew(): Promise<void> {
    await this.#choose(await this.#new())
  }

  /** The session of the attempt before; null where there is none, or it cannot be had. */
  async #resume(init: InitializeResponse): Promise<NewSessionResponse | null> {
    const { settings, memory, assignment, context, agent, asked, onSession } = this.#options
    if (!settings.resume || assignment.attempt <= 1) return null
    const sessionId = await memory.recall(assignment.taskId, this.#program)
    if (sessionId === null) return null
    try {
      onSession(sessionId, true)
      const canResume = Boolean(init.agentCapabilities?.sessionCapabilities?.resume)
      const method = canResume ? methods.agent.session.resume : methods.agent.session.load
      const answer = await asked(agent.request(method, { ...this.#place, sessionId }))
      await context.note(`goes on with the session ${sessionId}`)
      return { ...answer, sessionId }
    } catch (error) {
      if (!isAppError(error, 'agent-failed')) throw error
      await context.note(`the session of the attempt before cannot be resumed: ${error.message}`)
      return null
    }
  }

  async #new(): Promise<NewSessionResponse> {
    const { agent, asked, onSession } = this.#options
    const session = await asked(agent.request(methods.agent.session.new, this.#place))
    if (typeof session?.sessionId !== 'string' || session.sessionId === '') {
      throw sessionErrors['agent-protocol']('it opened a session without a name')
    }
    onSession(session.sessionId, false)
    return session
  }

  /** Mode and model, where the step or the pool names them. */
  async #choose({ sessionId, configOptions }: NewSessionResponse): Promise<void> {
    const { settings, context, agent, asked } = this.#options
    const mode = context.config.mode ?? settings.mode
    const model = context.config.model ?? settings.model
    if (mode !== null && mode !== undefined) {
      await asked(agent.request(methods.agent.session.setMode, { sessionId, modeId: mode }))
    }
    if (model === null || model === undefined) return
    const option = configOptions?.find(({ category, id }) => category === 'model' || id === 'model')
    if (option !== undefined) {
      const choice = { sessionId, configId: option.id, value: model }
      await asked(agent.request(methods.agent.session.setConfigOption, choice))
      return
    }
    // The way of agents from before options had names.
    await asked(agent.request('session/set_model', { sessionId, modelId: model }))
  }

  get #program(): string {
    return this.#options.settings.argv.join(' ')
  }

  get #place(): NewSessionRequest {
    return { cwd: this.#options.context.workdir, mcpServers: this.#options.mcpServers }
  }
}
