import { setTimeout as delay } from 'node:timers/promises'
import { type Message, Role, type StreamResponse } from '@a2a-js/sdk'
import { isAppError } from '../../../foundation/kernel/errors.ts'
import { type IdSource, systemIds } from '../../../foundation/kernel/ids.ts'
import type { A2aSettings } from '../../../foundation/platform/config/a2a-settings.ts'
import type { SessionRules } from '../../../foundation/platform/config/agent-settings.ts'
import type { AddressGuard } from '../../../foundation/platform/network/address-guard.ts'
import { attemptErrorOf } from '../../runners/attempt-errors-contract.ts'
import type { Assignment } from '../../runners/exchange-contract.ts'
import type { ResolvedAgent } from '../../workflows/task-contract.ts'
import type { SessionMemory } from '../acp/acp-resume.ts'
import type { AgentAnswer, AgentSession, SessionContext, SessionEnd } from '../sessions/agent-session.ts'
import { sessionErrors } from '../sessions/session-errors.ts'
import { SilenceWatch } from '../sessions/silence-watch.ts'
import { type A2aConnection, connectA2a, explainCall, reasonOf } from './a2a-connection.ts'
import { a2aErrors } from './a2a-errors.ts'
import { type MaskedContext, maskedContext } from './masked-context.ts'
import { PartFiles } from './part-files.ts'
import type { PushAddress, PushPort } from './push-port.ts'
import { questionOf, wordsOf } from './questions.ts'
import { isLost, isOver, RemoteTask } from './remote-task.ts'

export interface A2aSessionOptions {
  readonly settings: A2aSettings
  readonly rules: SessionRules
  readonly guard: AddressGuard
  readonly readSecret: (name: string) => Promise<string>
  readonly memory: SessionMemory
  /** Where the agent may tell us of news; null: we look. */
  readonly push: PushPort | null
  readonly ids?: IdSource
  /** Before the connection is tried again after its first break; doubled with each. Default 200. */
  readonly breakPauseMs?: number
}

/** A word to an agent that is given up must not hold up the end of the attempt. */
const farewellMs = 2_000
/** Breaks of the connection in a row, without anything new between them. */
const mostBreaks = 5
const longestPauseMs = 5_000
/** With notifications on their way we look only to be sure. */
const pushedPollMs = 30_000
const longestPollMs = 15_000
/** As the runner says when it ends without giving its leases up: the next attempt takes up the remote task. */
const runnerStops = 'the runner stops'

/** One task of a remote agent, for one attempt. */
export class A2aSession implements AgentSession {
  readonly #options: A2aSessionOptions
  readonly #assignment: Assignment
  readonly #given: SessionContext
  readonly #silence: SilenceWatch
  readonly #ids: IdSource
  readonly #from = performance.now()
  /** Ends what waits, whoever it waits for. */
  readonly #over = new AbortController()
  readonly #broken = Promise.withResolvers<never>()
  #masked!: MaskedContext
  #connection: A2aConnection | null = null
  #task!: RemoteTask
  #push: PushAddress | null = null
  #news: (() => void) | null = null
  #streaming = false
  #resumed = false
  /** The remote task is left for the next attempt. */
  #leave = false
  #turn = 0

  constructor(options: A2aSessionOptions, assignment: Assignment, context: SessionContext) {
    this.#options = options
    this.#assignment = assignment
    this.#given = context
    this.#ids = options.ids ?? systemIds
    const { silenceMs } = options.rules
    this.#silence = new SilenceWatch(silenceMs, () => {
      this.#broken.reject(sessionErrors['agent-silent'](`it said nothing for ${(silenceMs ?? 0) / 1_000} s`))
    })
    this.#broken.promise.catch(() => {})
  }

  /** Reads the card, and looks whether there is a remote task to take up. Whoever calls it calls `stop` in any case. */
  async open(): Promise<void> {
    const { settings, guard, readSecret, memory, push } = this.#options
    const { signal } = this.#given
    const late = AbortSignal.timeout(settings.startMs)
    try {
      const within = AbortSignal.any([signal, late])
      this.#connection = await connectA2a({ settings, guard, readSecret, signal: within })
    } catch (error) {
      if (!late.aborted || signal.aborted) throw error
      throw sessionErrors['agent-unreachable'](`it did not answer within ${settings.startMs / 1_000} s`)
    }
    const { agent, secret, fetch } = this.#connection
    this.#masked = maskedContext(this.#given, secret)
    const { context } = this.#masked
    this.#task = new RemoteTask(context, new PartFiles(context, fetch))
    if (settings.skill !== null && !agent.card.skills.some(({ id }) => id === settings.skill)) {
      throw a2aErrors['agent-card-invalid'](`the card of ${agent.card.name} offers no skill ${settings.skill}`)
    }
    this.#streaming = agent.streaming && settings.streaming
    if (settings.push && agent.push && push?.reachable === true) {
      this.#push = push.open(this.#assignment, () => this.#news?.())
    }
    if (settings.resume && this.#assignment.attempt > 1) {
      const known = await memory.recall(this.#assignment.taskId, agent.url)
      if (known !== null) await this.#takeUp(known)
    }
  }

  /** A remote task that failed, or that nobody knows any more, is not taken up. */
  async #takeUp(id: string): Promise<void> {
    const { context } = this.#masked
    try {
      const task = await this.#connection!.client.getTask({ tenant: '', id }, { signal: this.#given.signal })
      if (isLost(task)) {
        // What was said stays known to the agent.
        this.#task.contextId = task.contextId === '' ? null : task.contextId
        return
      }
      this.#task.id = id
      await this.#task.snapshot(task)
    } catch (error) {
      const why = explainCall(error, context.masker)
      if (!isAppError(why, 'agent-failed')) throw why
      return void (await context.note(`the remote task of the attempt before is gone: ${why.message}`))
    }
    this.#resumed = true
    await context.note(`takes up the remote task ${id}`)
  }

  async send(task: ResolvedAgent): Promise<AgentAnswer> {
    try {
      const answer = await Promise.race([this.#converse(task), this.#broken.promise])
      await this.#masked.flush()
      return answer
    } catch (error) {
      const why = explainCall(error, this.#masked.context.masker)
      this.#leave ||= this.#options.settings.resume && isAppError(why, 'agent-unreachable')
      await this.#masked.flush()
      throw why
    }
  }

  async #converse(task: ResolvedAgent): Promise<AgentAnswer> {
    const { context } = this.#masked
    let next: Message | null = this.#resumed ? null : this.#message(task.prompt)
    for (;;) {
      if (next !== null || this.#task.standing === 'going') await this.#follow(next)
      if (this.#task.standing !== 'asks') break
      this.#turn += 1
      const question = questionOf(this.#task.message, this.#turn, this.#options.rules.askMs)
      const words = wordsOf(await this.#silence.waitFor(context.ask(question)))
      if (words === null) {
        const why = `nobody answered what it asked: ${question.message}`.slice(0, 2_000)
        return { outcome: 'failed', error: attemptErrorOf(sessionErrors['agent-failed'](why)) }
      }
      this.#task.answered()
      next = this.#message(words)
    }
    return this.#end()
  }

  async #end(): Promise<AgentAnswer> {
    const { standing, statusText, values } = this.#task
    await this.#task.finish()
    const because = this.#masked.context.masker.text(statusText).slice(0, 2_000)
    const failed = (code: keyof typeof sessionErrors, usual: string): AgentAnswer => ({
      outcome: code === 'agent-failed' && standing === 'cancelled' ? 'cancelled' : 'failed',
      error: attemptErrorOf(sessionErrors[code](because === '' ? usual : because)),
    })
    switch (standing) {
      case 'done':
      case 'said':
        return { outcome: 'done', error: null, values: this.#masked.context.masker.json(values) }
      case 'rejected':
        return failed('agent-refused', 'it refused the task')
      case 'signs-in':
        return failed('agent-auth', 'it wants its user to sign in')
      case 'cancelled':
        return failed('agent-failed', 'it says that its work was cancelled')
      default:
        return failed('agent-failed', 'it says that it has failed')
    }
  }

  #message(text: string): Message {
    return {
      messageId: this.#ids.next('msg'),
      contextId: this.#task.contextId ?? '',
      taskId: this.#task.id ?? '',
      role: Role.ROLE_USER,
      parts: [{ content: { $case: 'text', value: text }, metadata: undefined, filename: '', mediaType: 'text/plain' }],
      metadata: undefined,
      extensions: [],
      referenceTaskIds: [],
    }
  }

  /** Sends a message, or takes up the task, and returns when it is the agent's turn no more. */
  async #follow(message: Message | null): Promise<void> {
    let first = message
    let breaks = 0
    while (!this.#paused()) {
      const before = this.#task.news
      try {
        if (this.#streaming) await this.#stream(first)
        else await this.#poll(first)
        if (this.#paused()) return
        throw sessionErrors['agent-unreachable']('the connection ended in the middle of the task')
      } catch (error) {
        if (this.#streaming && this.#cannotStream(error)) {
          // Its card says otherwise; the message was not taken.
          this.#streaming = false
          await this.#masked.context.note('the agent does not stream, whatever its card says: it is asked instead')
          if (this.#task.id !== null) first = null
          continue
        }
        const why = explainCall(error, this.#masked.context.masker)
        if (!isAppError(why, 'agent-unreachable') || this.#task.id === null || this.#over.signal.aborted) throw why
        breaks = this.#task.news > before ? 1 : breaks + 1
        if (breaks > mostBreaks) throw why
        await this.#masked.context.note(`${why.message}; the task is taken up again`)
        await this.#pause(Math.min((this.#options.breakPauseMs ?? 200) * 2 ** (breaks - 1), longestPauseMs))
        first = null
        // The state may have changed while nobody listened; a stream of a task that is over is refused.
        await this.#look().catch((again: unknown) => {
          if (!isAppError(explainCall(again, this.#masked.context.masker), 'agent-unreachable')) throw again
        })
      }
    }
  }

  #paused(): boolean {
    const { standing } = this.#task
    return isOver(standing) || standing === 'asks' || standing === 'signs-in'
  }

  #cannotStream(error: unknown): boolean {
    const reason = reasonOf(error)
    if (reason === 'UNSUPPORTED_OPERATION') return true
    return error instanceof Error && error.message.includes("Expected 'text/event-stream'")
  }

  async #stream(message: Message | null): Promise<void> {
    const { client } = this.#connection!
    const options = { signal: this.#over.signal }
    const events: AsyncGenerator<StreamResponse> =
      message === null
        ? client.resubscribeTask({ tenant: '', id: this.#task.id! }, options)
        : client.sendMessageStream(this.#request(message), options)
    for await (const event of events) {
      this.#heard()
      await this.#task.take(event)
      await this.#remember()
      if (this.#paused()) return
    }
  }

  async #poll(message: Message | null): Promise<void> {
    const { client } = this.#connection!
    if (message !== null) {
      const answer = await client.sendMessage(this.#request(message), { signal: this.#over.signal })
      this.#heard()
      if ('messageId' in answer) await this.#task.answer(answer)
      else await this.#task.snapshot(answer)
      await this.#remember()
    }
    const { pollMs } = this.#options.settings
    for (let pause = pollMs; !this.#paused(); ) {
      await this.#pause(this.#push === null ? pause : Math.max(pushedPollMs, pollMs))
      const before = this.#task.news
      await this.#look()
      pause = this.#task.news > before ? pollMs : Math.min(pause * 1.5, Math.max(longestPollMs, pollMs))
    }
  }

  async #look(): Promise<void> {
    const before = this.#task.news
    const { signal } = this.#over
    const task = await this.#connection!.client.getTask({ tenant: '', id: this.#task.id! }, { signal })
    await this.#task.snapshot(task)
    if (this.#task.news > before) this.#heard()
  }

  #request(message: Message) {
    const push = this.#push
    return {
      tenant: '',
      message,
      metadata: undefined,
      configuration: {
        acceptedOutputModes: ['text/plain', 'application/json', 'application/octet-stream'],
        returnImmediately: true,
        taskPushNotificationConfig:
          push === null
            ? undefined
            : {
                ...{ tenant: '', id: 'leanvibe', taskId: '', url: push.url, token: push.token },
                authentication: { scheme: 'Bearer', credentials: push.token },
              },
      },
    }
  }

  #heard(): void {
    this.#silence.heard()
    this.#given.progress()
  }

  /** For the next attempt, should this one be lost. */
  async #remember(): Promise<void> {
    const { settings, memory } = this.#options
    if (!settings.resume || this.#task.id === null || this.#resumed) return
    this.#resumed = true
    await memory.remember(this.#assignment.taskId, this.#connection!.agent.url, this.#task.id)
  }

  /** Ends early when the agent has told of news. */
  async #pause(ms: number): Promise<void> {
    const { signal } = this.#over
    const woken = new AbortController()
    this.#news = () => woken.abort()
    try {
      await delay(ms, undefined, { signal: AbortSignal.any([signal, woken.signal]) })
    } catch (error) {
      if (!woken.signal.aborted || signal.aborted) throw error
    } finally {
      this.#news = null
    }
  }

  async cancel(reason: string): Promise<void> {
    this.#leave = this.#options.settings.resume && reason === runnerStops
    if (!this.#leave) await this.#cancelRemote()
    this.#over.abort(new Error(reason))
  }

  async #cancelRemote(): Promise<void> {
    const id = this.#task?.id ?? null
    if (this.#connection === null || id === null || isOver(this.#task.standing)) return
    try {
      const signal = AbortSignal.timeout(farewellMs)
      await this.#connection.client.cancelTask({ tenant: '', id, metadata: undefined }, { signal })
      this.#task.standing = 'cancelled'
    } catch (error) {
      const why = explainCall(error, this.#masked.context.masker)
      await this.#masked.context.note(`the remote task ${id} may go on: it could not be cancelled (${why.message})`)
    }
  }

  usage() {
    return this.#task?.usage.spending
  }

  async stop(): Promise<SessionEnd> {
    this.#silence.stop()
    this.#push?.close()
    if (this.#task !== undefined && !this.#leave) {
      await this.#cancelRemote()
      await this.#options.memory.forget(this.#assignment.taskId)
    }
    this.#over.abort(new Error('the session is over'))
    await this.#connection?.close()
    const usage = { cpuSeconds: null, maxRssBytes: null, wallSeconds: (performance.now() - this.#from) / 1_000 }
    return { usage, survivors: 0, error: null }
  }
}
