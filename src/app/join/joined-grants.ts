import { setTimeout as delay } from 'node:timers/promises'
import { type AppError, isAppError, messageOf } from '../../foundation/kernel/errors.ts'
import type { AskPort } from '../../orchestration/agents/ask-contract.ts'
import type { AttemptError } from '../../orchestration/runners/exchange-contract.ts'
import type { AttemptGrant } from '../../orchestration/runners/hosted-agent.ts'
import { modelVariables } from '../models.ts'
import type { JoinedRepositories } from './joined-repositories.ts'
import type { RunnerServer } from './runner-server.ts'

export interface JoinedGrantsOptions {
  readonly server: RunnerServer
  readonly runner: () => string
  readonly repositories: JoinedRepositories
}

/** How long a commit is tried to be brought back while no server answers, ms: about as long as a lease is kept alive. */
const patienceMs = 600_000

/** What attempts need before they begin, and what has to be brought back after they have ended. */
export class JoinedGrants {
  readonly #options: JoinedGrantsOptions
  readonly #fences = new Map<string, number>()
  readonly #failed = new Map<number, AttemptError>()

  constructor(options: JoinedGrantsOptions) {
    this.#options = options
  }

  fenceOf(taskId: string): number | undefined {
    return this.#fences.get(taskId)
  }

  undelivered(fence: number): AttemptError | null {
    return this.#failed.get(fence) ?? null
  }

  /** Brings the repository, and a key for the model gateway where the pool has models. */
  grantFor(models: readonly string[] | null): AttemptGrant {
    const { server, runner, repositories } = this.#options
    return async (assignment, signal) => {
      const { taskId, fence } = assignment
      this.#fences.set(taskId, fence)
      await repositories.fetch(assignment, signal)
      const key = models === null ? null : await server.modelKey(runner(), fence, models, signal)
      return {
        env: key === null ? {} : modelVariables(server.url(), key),
        masked: key === null ? [] : [key],
        // The key ends with the lease.
        end: async () => {
          try {
            await this.#deliver(() => repositories.deliver(assignment, AbortSignal.timeout(patienceMs)))
          } catch (error) {
            // Nothing may build on a commit that only this machine has.
            const message = `its commit could not be brought back: ${messageOf(error)}`
            this.#failed.set(fence, { code: 'commit-not-delivered', message, retry: 'later' })
            throw error
          } finally {
            if (this.#fences.get(taskId) === fence) this.#fences.delete(taskId)
          }
        },
      }
    }
  }

  async #deliver(send: () => Promise<void>): Promise<void> {
    const until = performance.now() + patienceMs
    for (let attempt = 1; ; attempt++) {
      try {
        return await send()
      } catch (error) {
        if (!mayPass(error) || performance.now() > until) throw error
        await delay(Math.min(10_000, 200 * 2 ** attempt))
      }
    }
  }
}

function mayPass(error: unknown): error is AppError {
  return isAppError(error) && ['unavailable', 'limit'].includes(error.kind)
}

/** People are asked by the server; a call waits a while, and is repeated. */
export function createJoinedAsk(server: RunnerServer, runner: () => string): AskPort {
  return {
    async ask({ tenant: _tenant, runId: _run, taskId: _task, step: _step, fence, ...question }, signal) {
      for (;;) {
        signal.throwIfAborted()
        const answer = await server.ask(runner(), fence, question as never, signal)
        if (answer !== null) return answer
      }
    },
  }
}
