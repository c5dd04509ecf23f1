import { Worker } from 'node:worker_threads'
import { messageOf } from '../../../foundation/kernel/errors.ts'
import type { SessionRules } from '../../../foundation/platform/config/agent-settings.ts'
import { endMarked, systemProcessTable } from '../../../foundation/platform/processes/index.ts'
import { agentErrors, attemptErrorOf } from '../../runners/attempt-errors-contract.ts'
import type { Assignment, AttemptError, AttemptSpending } from '../../runners/exchange-contract.ts'
import type { ResolvedAgent } from '../../workflows/task-contract.ts'
import type { AgentAnswer, AgentSession, SessionContext, SessionEnd } from '../sessions/agent-session.ts'
import { sessionErrors } from '../sessions/session-errors.ts'
import { SilenceWatch } from '../sessions/silence-watch.ts'
import { ToldTools } from '../sessions/told-tools.ts'
import type { FunctionTask, FunctionThreadData, ToFunction } from './function-contract.ts'
import { type CheckedMessage, readMessage } from './function-messages.ts'

export interface FunctionSessionOptions {
  readonly assignment: Assignment
  readonly context: SessionContext
  readonly rules: SessionRules
  /** URL of the module. */
  readonly module: string
  readonly memoryBytes: number
}

const threadFile = new URL(`./function-main${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url)
/** A thread that sits in a call of the system cannot be ended; so long it is waited for. */
const terminateMs = 5_000

/** One call of a function, in a thread with a memory limit that is ended whatever it does. */
export class FunctionSession implements AgentSession {
  readonly #options: FunctionSessionOptions
  readonly #silence: SilenceWatch
  readonly #tools: ToldTools
  readonly #answer = Promise.withResolvers<AgentAnswer>()
  readonly #unread = new Int32Array(new SharedArrayBuffer(4))
  readonly #startedAt = performance.now()
  readonly #exited = Promise.withResolvers<void>()
  #worker: Worker | null = null
  #cpuSeconds: number | null = null
  #spent: AttemptSpending | undefined
  /** It has said how it ended; that its thread ends then is as it should be. */
  #told = false

  constructor(options: FunctionSessionOptions) {
    this.#options = options
    this.#tools = new ToldTools(options.context.tools)
    const { silenceMs } = options.rules
    this.#silence = new SilenceWatch(silenceMs, () => {
      this.#fail(attemptErrorOf(sessionErrors['agent-silent'](`it said nothing for ${(silenceMs ?? 0) / 1_000} s`)))
    })
  }

  send(spec: ResolvedAgent): Promise<AgentAnswer> {
    const { context, module, memoryBytes } = this.#options
    const data: FunctionThreadData = {
      ...{ module, task: this.#taskOf(spec), env: context.env },
      unread: this.#unread.buffer as SharedArrayBuffer,
    }
    const worker = new Worker(threadFile, {
      workerData: data,
      // Nothing of ours: neither variables nor options, nor the standard streams.
      env: { ...context.env, LEANVIBE_ATTEMPT: this.#marker },
      ...{ execArgv: ['--no-warnings'], argv: [], stdin: true, stdout: true, stderr: true, name: 'function' },
      resourceLimits: { maxOldGenerationSizeMb: Math.ceil(memoryBytes / 1_048_576), stackSizeMb: 4 },
    })
    this.#worker = worker
    worker.stdout.on('data', (chunk: Buffer) => void this.#logged('stdout', chunk))
    worker.stderr.on('data', (chunk: Buffer) => void this.#logged('stderr', chunk))
    worker.on('message', (message: unknown) => void this.#take(message))
    worker.on('messageerror', (error) => this.#fail(protocol(messageOf(error))))
    worker.on('error', (error: NodeJS.ErrnoException) => {
      this.#fail(
        error.code === 'ERR_WORKER_OUT_OF_MEMORY'
          ? attemptErrorOf(agentErrors['limit-exceeded'](`it used more than the ${memoryBytes} bytes of its pool`))
          : attemptErrorOf(sessionErrors['agent-failed'](`its thread ended: ${messageOf(error)}`)),
      )
    })
    worker.on('exit', (code) => {
      this.#exited.resolve()
      if (this.#told) return
      this.#fail(attemptErrorOf(sessionErrors['agent-unreachable'](`its thread ended (exit code ${code}) unasked`)))
    })
    return this.#answer.promise
  }

  cancel(reason: string): void {
    this.#post({ kind: 'abort', reason })
  }

  usage(): AttemptSpending | undefined {
    return this.#spent
  }

  async stop(): Promise<SessionEnd> {
    this.#silence.stop()
    const usage = () => ({
      ...{ cpuSeconds: this.#cpuSeconds, maxRssBytes: null },
      wallSeconds: (performance.now() - this.#startedAt) / 1_000,
    })
    const worker = this.#worker
    if (worker === null) return { usage: usage(), survivors: 0, error: null }
    // Whoever waits for room to speak is let go first.
    Atomics.store(this.#unread, 0, 0)
    Atomics.notify(this.#unread, 0)
    const stuck = await this.#ended(worker)
    const { survivors } = await endMarked([{ marker: this.#marker, main: null }], systemProcessTable())
    return { usage: usage(), survivors: survivors.length + (stuck ? 1 : 0), error: null }
  }

  get #marker(): string {
    const { taskId, fence } = this.#options.assignment
    return `${taskId}.${fence}`
  }

  /** Resolves to true where the thread does not end. */
  async #ended(worker: Worker): Promise<boolean> {
    const late = Promise.withResolvers<boolean>()
    const timer = setTimeout(() => late.resolve(true), terminateMs)
    const gone = Promise.all([worker.terminate(), this.#exited.promise]).then(() => false)
    try {
      return await Promise.race([gone, late.promise])
    } finally {
      clearTimeout(timer)
    }
  }

  #taskOf(spec: ResolvedAgent): FunctionTask {
    const { assignment, context } = this.#options
    const { runId, taskId, step, item, attempt } = assignment
    const { config, workdir, outdir } = context
    return {
      ...{ runId, taskId, step, item, attempt },
      prompt: spec.prompt,
      depth: spec.depth,
      config,
      workdir,
      outdir,
    }
  }

  async #take(message: unknown): Promise<void> {
    const { context } = this.#options
    this.#silence.heard()
    const said = readMessage(message)
    if (said?.kind === 'done' || said?.kind === 'failed') this.#told = true
    try {
      if (said === null) this.#fail(protocol('it sent what is no message'))
      else await this.#heed(said, context)
    } catch (error) {
      this.#fail(attemptErrorOf(error))
    } finally {
      Atomics.sub(this.#unread, 0, 1)
      Atomics.notify(this.#unread, 0)
    }
  }

  async #heed(said: CheckedMessage, context: SessionContext): Promise<void> {
    switch (said.kind) {
      case 'progress':
        return context.progress(said.note)
      case 'log':
        return context.note(said.line)
      case 'say':
        return context.say(said.text)
      case 'usage':
        this.#spent = said.spent
        return
      case 'tool': {
        const { call, state, used } = said
        return this.#tools.take({ call: String(call), state, ...used })
      }
      case 'ask':
        // Not waited for: it may say more meanwhile.
        return void this.#ask(said, context)
      case 'done':
        this.#cpuSeconds = said.cpuSeconds
        if (said.text !== null) await context.say(said.text)
        return this.#answer.resolve({ outcome: 'done', error: null })
      case 'failed': {
        this.#cpuSeconds = said.cpuSeconds
        const { code, message } = attemptErrorOf(sessionErrors['agent-failed'](said.message))
        return this.#fail({ code, message, retry: said.retry })
      }
    }
  }

  async #ask({ id, question }: Extract<CheckedMessage, { kind: 'ask' }>, context: SessionContext): Promise<void> {
    try {
      const { choice, text, by, expired } = await this.#silence.waitFor(
        context.ask({
          ...{ key: `ask/${id}`, kind: 'question', message: question.message, choices: question.choices ?? [] },
          freeText: question.freeText ?? question.choices === undefined,
          defaultChoice: question.defaultChoice ?? null,
          deadlineMs: this.#options.rules.askMs,
          details: question.details ?? {},
        }),
      )
      this.#post({ kind: 'answer', id, answer: { choice, text, by, expired } })
    } catch (error) {
      this.#post({ kind: 'answer', id, answer: null, error: messageOf(error) })
    }
  }

  async #logged(stream: 'stdout' | 'stderr', chunk: Buffer): Promise<void> {
    const { context } = this.#options
    this.#silence.heard()
    context.progress()
    const source = this.#worker![stream]
    source.pause()
    // What it prints is no answer: that is what it returns and says.
    await Promise.resolve(context.log('stderr', chunk)).catch((error: unknown) => this.#fail(attemptErrorOf(error)))
    source.resume()
  }

  #post(message: ToFunction): void {
    this.#worker?.postMessage(message)
  }

  /** The first word counts. */
  #fail(error: AttemptError): void {
    this.#answer.resolve({ outcome: 'failed', error })
  }
}

function protocol(message: string): AttemptError {
  return attemptErrorOf(sessionErrors['agent-protocol'](message))
}
