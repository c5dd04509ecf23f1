import { setTimeout as delay } from 'node:timers/promises'
import type { TenantId } from '../foundation/kernel/ids.ts'
import type { Database } from '../foundation/platform/database/database.ts'
import { drainAgents } from '../orchestration/agents/drain-agents.ts'
import type { LocalRunner } from './runner.ts'

export interface DrainRunnerOptions {
  readonly database: Database
  readonly tenant: TenantId
  readonly runner: LocalRunner
  /** Gives up waiting for what is under way. */
  readonly signal: AbortSignal
  /** Told the number of tasks left whenever it has changed. */
  readonly onLeft?: (tasks: number) => void
  readonly onError: (error: unknown) => void
}

const pollMs = 200

/**
 * Lets every process that matches tasks with agents know that those of this runner take nothing new; then waits until all
 * that they hold has ended and is reported. Whoever calls it has seen to it that nobody starts further agents here.
 */
export async function drainRunner(options: DrainRunnerOptions): Promise<void> {
  const { database, tenant, runner, signal, onLeft, onError } = options
  let told = -1
  while (!signal.aborted) {
    const left = await database
      .asSystem('worker-drain')
      .write((tx) => drainAgents(tx, tenant, runner.agents(), 'its runner ends', database.clock.now()))
      .catch((error: unknown) => {
        onError(error)
        return null
      })
    if (left === 0) break
    if (left !== null && left !== told) onLeft?.(left)
    told = left ?? told
    await delay(pollMs, undefined, { signal }).catch(() => {})
  }
  await runner.drain(signal)
}
