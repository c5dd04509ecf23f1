import { pathToFileURL } from 'node:url'
import {
  type CallToolResult,
  Client,
  ProtocolError,
  SdkError,
  SdkErrorCode,
  SdkHttpError,
  StreamableHTTPClientTransport,
  type Tool,
  type Transport,
} from '@modelcontextprotocol/client'
import { isAppError, messageOf } from '../../../foundation/kernel/errors.ts'
import type { JsonObject } from '../../../foundation/kernel/json.ts'
import type { ToolServerSettings } from '../../../foundation/platform/config/tool-settings.ts'
import { type MaskStream, SecretMasker } from '../../../foundation/platform/secrets/index.ts'
import type { Assignment } from '../../runners/exchange-contract.ts'
import { type AgentProcess, type AgentProcessHost, startAgentProcess } from '../sessions/agent-process.ts'
import type { SessionContext, SessionEnd } from '../sessions/agent-session.ts'
import { sessionErrors } from '../sessions/session-errors.ts'
import { boundedFetch } from './bounded-fetch.ts'
import { answerElicitation } from './elicitation.ts'
import { ProcessTransport } from './process-transport.ts'
import type { ServerSecrets } from './server-secrets.ts'

export interface McpLinkOptions {
  readonly settings: ToolServerSettings
  readonly processes: AgentProcessHost
  readonly secrets: ServerSecrets
  readonly assignment: Assignment
  /** `env` of it is what the server's program gets, besides its own secrets. */
  readonly context: SessionContext
  /** How long its questions wait for people; null: as the policy says. */
  readonly askMs: number | null
  /** Called when it says something of what it does. */
  readonly onSign: () => void
}

/** From the end of its standard input until the server is told by signals. */
const leaveMs = 500
const graceMs = 2_000
const mostTools = 1_000
/** Notices under way to the log; what comes beyond is not kept. */
const mostNotices = 64

/** One connection to an MCP server, for one attempt. Everything it says is a stranger's. */
export class McpLink {
  readonly #options: McpLinkOptions
  readonly #client: Client
  /** Rejects when it cannot go on. */
  readonly #broken = Promise.withResolvers<never>()
  #masker = new SecretMasker([])
  #process: AgentProcess | null = null
  #http: StreamableHTTPClientTransport | null = null
  readonly #over = new AbortController()
  readonly #signal: AbortSignal
  #opening: Promise<void> | null = null
  #down = false
  #asked = 0
  #notices = 0

  constructor(options: McpLinkOptions) {
    this.#options = options
    this.#signal = AbortSignal.any([options.context.signal, this.#over.signal])
    this.#client = new Client(
      { name: 'leanvibe', version: '0.1.0' },
      {
        capabilities: { roots: {}, elicitation: { form: {} } },
        listMaxPages: 50,
        // Schemas are a stranger's: a pattern in one could keep this process busy for ever.
        jsonSchemaValidator: {
          getValidator: () => (value) => ({ valid: true, data: value as never, errorMessage: undefined }),
        },
      },
    )
    this.#broken.promise.catch(() => {})
    this.#answerServer()
  }

  /** It is gone, or said what it must not; another one may be opened. */
  get down(): boolean {
    return this.#down
  }

  /** Knows the secrets of this server alone. */
  get masker(): SecretMasker {
    return this.#masker
  }

  /** Starts or reaches the server. Whoever calls it calls `stop` in any case. */
  open(): Promise<void> {
    this.#opening = this.#open()
    return this.#opening
  }

  async #open(): Promise<void> {
    const { settings, secrets } = this.#options
    const { env, headers, masked } = await secrets.of(settings, this.#signal)
    this.#signal.throwIfAborted()
    this.#masker = new SecretMasker(masked)
    const transport = settings.argv === null ? this.#reach(headers) : await this.#start(settings.argv, env)
    const late = `it did not come up within ${settings.startMs / 1_000} s`
    await this.#asking(this.#client.connect(transport, { timeout: settings.startMs, signal: this.#signal }), () =>
      sessionErrors['agent-unreachable'](late),
    )
  }

  async tools(): Promise<readonly Tool[]> {
    const { startMs } = this.#options.settings
    const signal = this.#signal
    const late = () => sessionErrors['agent-silent'](`it did not tell its tools within ${startMs / 1_000} s`)
    const { tools } = await this.#asking(this.#client.listTools(undefined, { timeout: startMs, signal }), late)
    return tools.slice(0, mostTools)
  }

  async call(name: string, args: JsonObject, signal: AbortSignal): Promise<CallToolResult> {
    const { callMs } = this.#options.settings
    const late = () => sessionErrors['agent-silent'](`${name} did not answer within ${callMs / 1_000} s`)
    const onprogress = ({ message }: { message?: string | undefined }) => {
      this.#options.onSign()
      if (message !== undefined) this.#notice(message)
    }
    return this.#asking(
      this.#client.callTool({ name, arguments: args }, { timeout: callMs, signal, onprogress }),
      late,
      signal,
    )
  }

  /** It is not to be used any more; `stop` ends it. */
  giveUp(): void {
    this.#down = true
  }

  /** Also while it is being opened. */
  async stop(): Promise<SessionEnd> {
    this.#down = true
    this.#over.abort(sessionErrors['agent-unreachable']('the attempt is over'))
    await this.#opening?.catch(() => {})
    if (this.#process === null) {
      const session = this.#http
      // Frees what the server keeps for us; it does not matter whether it hears of it.
      if (session?.sessionId !== undefined) {
        await Promise.race([session.terminateSession().catch(() => {}), timeUp(leaveMs)])
      }
      await this.#client.close().catch(() => {})
      return { usage: { cpuSeconds: null, maxRssBytes: null, wallSeconds: 0 }, survivors: 0, error: null }
    }
    this.#process.stdin?.end()
    const leave = setTimeout(() => this.#process?.stop(graceMs), leaveMs)
    try {
      const end = await this.#process.ended
      const error = end.breach === null ? null : this.#process.errorOf(end)
      return { usage: end.usage, survivors: end.survivors, error }
    } finally {
      clearTimeout(leave)
      await this.#client.close().catch(() => {})
    }
  }

  async #start(argv: readonly string[], env: Readonly<Record<string, string>>): Promise<Transport> {
    const { processes, assignment, context } = this.#options
    const transport = new ProcessTransport({
      onNoise: (line) => this.#notice(line),
      onBreach: (message) => this.#fail(sessionErrors['agent-protocol'](message)),
    })
    const masked: MaskStream = this.#masker.stream()
    const running = await startAgentProcess(processes, {
      ...{ assignment, context, argv, env, stdin: 'pipe', graceMs },
      onStdout: (chunk) => transport.take(chunk),
      onStderr: (chunk) => context.log('stderr', masked.write(chunk)),
    })
    this.#process = running
    transport.attach(running.stdin!)
    running.ended.then(
      (end) => {
        const error = running.errorOf(end)
        const how = error === null ? `the server ended (exit code ${end.exitCode})` : error.message
        this.#fail(sessionErrors['agent-unreachable'](`${how}, in the middle of its work`))
        void transport.close()
      },
      (error: unknown) => this.#fail(error),
    )
    return transport
  }

  #reach(headers: Readonly<Record<string, string>>): Transport {
    this.#http = new StreamableHTTPClientTransport(new URL(this.#options.settings.url!), {
      requestInit: { headers: { ...headers } },
      fetch: boundedFetch,
    })
    return this.#http
  }

  /** What a server may ask of us: where the worktree is, and what people say. */
  #answerServer(): void {
    const { context, settings, askMs } = this.#options
    this.#client.setRequestHandler('roots/list', () => ({
      roots: [{ uri: pathToFileURL(context.workdir).href, name: 'worktree' }],
    }))
    this.#client.setRequestHandler('elicitation/create', ({ params }) => {
      this.#options.onSign()
      this.#asked += 1
      return answerElicitation(params, `${settings.name}/${this.#asked}`, context, askMs)
    })
    this.#client.setNotificationHandler('notifications/message', ({ params }) => {
      this.#options.onSign()
      this.#notice(typeof params.data === 'string' ? params.data : JSON.stringify(params.data))
    })
  }

  /** Words of the server for the log. A flood of them is not waited for: what is too much is left out. */
  #notice(words: string): void {
    if (this.#notices >= mostNotices) return
    this.#notices += 1
    const done = () => {
      this.#notices -= 1
    }
    Promise.resolve(this.#options.context.note(this.#masker.text(words.slice(0, 4_000)))).then(done, done)
  }

  #fail(error: unknown): void {
    this.#down = true
    this.#broken.reject(error)
  }

  /** An answer of the server, or the reason why there will be none. */
  async #asking<T>(answer: Promise<T>, late: () => Error, signal?: AbortSignal): Promise<T> {
    answer.catch(() => {})
    try {
      return await Promise.race([answer, this.#broken.promise])
    } catch (error) {
      signal?.throwIfAborted()
      this.#signal.throwIfAborted()
      throw this.#masked(await this.#explain(error, late))
    }
  }

  async #explain(error: unknown, late: () => Error): Promise<unknown> {
    if (isAppError(error)) return error
    if (SdkHttpError.isInstance(error)) {
      const text = `it answered with status ${error.status}: ${messageOf(error).slice(0, 500)}`
      const refused = error.status === 401 || error.status === 403
      return refused ? sessionErrors['agent-auth'](text) : sessionErrors['agent-unreachable'](text)
    }
    if (ProtocolError.isInstance(error)) return sessionErrors['agent-failed'](error.message.slice(0, 2_000))
    if (SdkError.isInstance(error)) {
      if (error.code === SdkErrorCode.RequestTimeout) return late()
      if (error.code === SdkErrorCode.ConnectionClosed || error.code === SdkErrorCode.NotConnected) {
        return this.#lost(error)
      }
      return sessionErrors['agent-protocol'](error.message.slice(0, 2_000))
    }
    // What fetch and sockets say, and answers that are not as the protocol has them.
    const { name } = error as Error
    const text = messageOf(error).slice(0, 2_000)
    if (this.#http !== null && (name === 'TypeError' || name === 'AbortError')) {
      const { cause } = error as Error
      return sessionErrors['agent-unreachable'](cause === undefined ? text : `${text}: ${messageOf(cause)}`)
    }
    return this.#process !== null && this.#down ? this.#lost(error) : sessionErrors['agent-protocol'](text)
  }

  /** The connection is gone; why, the process tells in a moment. */
  async #lost(error: unknown): Promise<unknown> {
    const late = sessionErrors['agent-unreachable'](messageOf(error))
    return Promise.race([this.#broken.promise.catch((cause: unknown) => cause), timeUp(leaveMs).then(() => late)])
  }

  #masked(error: unknown): unknown {
    if (!isAppError(error) || this.#masker.empty) return error
    const text = this.#masker.text(error.message)
    if (text === error.message) return error
    const known = sessionErrors[error.code as keyof typeof sessionErrors] ?? sessionErrors['agent-failed']
    return known(text)
  }
}

function timeUp(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms).unref()
  })
}
