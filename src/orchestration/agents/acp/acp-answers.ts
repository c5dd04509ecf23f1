import { RequestError } from '@agentclientprotocol/sdk'
import { isAppError, messageOf } from '../../../foundation/kernel/errors.ts'
import type { AgentProcess } from '../sessions/agent-process.ts'
import { sessionErrors } from '../sessions/session-errors.ts'

const authRequired = -32_000

/** Waits for answers of an agent, and says why there will be none. */
export class AcpAnswers {
  /** Rejects when the session cannot go on, whatever it is waiting for. */
  readonly #broken = Promise.withResolvers<never>()
  readonly #leaveMs: number
  #process: AgentProcess | null = null

  /** `leaveMs`: how long after its connection a process may tell why it ended. */
  constructor(leaveMs: number) {
    this.#leaveMs = leaveMs
    this.#broken.promise.catch(() => {})
  }

  breakOff(error: unknown): void {
    this.#broken.reject(error)
  }

  /** The end of the process is the end of its answers. */
  follow(process: AgentProcess, onEnd: () => void): void {
    this.#process = process
    process.ended.then(
      (end) => {
        onEnd()
        const error = process.errorOf(end)
        const how = error === null ? `the agent ended (exit code ${end.exitCode})` : error.message
        this.breakOff(sessionErrors['agent-unreachable'](`${how}, in the middle of its task`))
      },
      (error: unknown) => this.breakOff(error),
    )
  }

  /** An answer of the agent, or the reason why there will be none. */
  async asked<T>(answer: Promise<T>): Promise<T> {
    try {
      return await Promise.race([answer, this.#broken.promise])
    } catch (error) {
      throw await this.#explain(error)
    }
  }

  /** `printed`: what is told of one that is late. */
  async within<T>(ms: number, work: Promise<T>, signal: AbortSignal, printed: () => string): Promise<T> {
    const late = Promise.withResolvers<never>()
    const timer = setTimeout(() => {
      const last = printed()
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

  async #explain(error: unknown): Promise<unknown> {
    if (isAppError(error)) return error
    if (error instanceof RequestError) {
      const data = error.data === undefined ? '' : `: ${JSON.stringify(error.data)}`
      const text = `${error.message}${data}`.slice(0, 2_000)
      return error.code === authRequired ? sessionErrors['agent-auth'](text) : sessionErrors['agent-failed'](text)
    }
    // The connection is gone; why, the process tells in a moment.
    const ended = this.#process?.ended.then(
      () => true,
      () => true,
    )
    const late = new Promise<false>((resolve) => setTimeout(() => resolve(false), this.#leaveMs).unref())
    if (await Promise.race([ended ?? late, late])) return this.#broken.promise.catch((cause: unknown) => cause)
    return sessionErrors['agent-protocol'](messageOf(error))
  }
}
