import { isAppError } from '../../foundation/kernel/errors.ts'
import type { LoadedConfig } from '../../foundation/platform/config/load-config.ts'
import type { OpenedCall } from '../../orchestration/agents/http/service-calls.ts'
import { PriceTable } from '../../orchestration/budgets/prices/price-table.ts'
import { createContextGrowth } from '../../orchestration/context-growth/context-growth.ts'
import type { AgentServices } from '../own-agents.ts'
import type { JoinedClock } from './joined-clock.ts'
import type { RunnerServer } from './runner-server.ts'

export interface JoinedServicesOptions {
  readonly loaded: LoadedConfig
  readonly server: RunnerServer
  readonly runner: () => string
  readonly clock: JoinedClock
  /** The version of the contract that the server keeps. */
  readonly contract: () => number
  readonly onError: (error: unknown) => void
}

/** What agents of several kinds need of the platform, kept by the servers under the leases of this runner. */
export function createJoinedServices({
  loaded,
  server,
  runner,
  clock,
  contract,
  onError,
}: JoinedServicesOptions): AgentServices {
  // A server that does not know of contexts goes without.
  const keep = (call: () => Promise<void>) => (contract() < 2 ? Promise.resolve() : unlessLost(call()))
  const prices = new PriceTable(loaded.config.prices)
  const meter = createContextGrowth({
    sink: {
      keep: ({ fence }, { used, limit, share, growth, turnsLeft, level, turns, summaries }, change) =>
        keep(() =>
          server.keepContext(runner(), fence, {
            ...{ used: Math.round(used), limit: Math.round(limit), share, turnsLeft, level, turns, summaries, change },
            growth: growth === null ? null : Math.round(growth),
          }),
        ),
      expected: async ({ fence }) => (contract() < 2 ? null : expectedBy(server.expectContext(runner(), fence))),
      drop: ({ fence }) => keep(() => server.dropContext(runner(), fence)),
    },
    clock,
    onError,
  })
  return {
    meter,
    costOf: (model, use) => prices.costOf(model, use, clock.now()),
    // Services reach the server at the address at which we do, unless their pool says another.
    serverUrl: async () => server.url(),
    calls: {
      async open({ fence }, { resume, forMs }) {
        const opened = await server.openCall(runner(), fence, { resume, forMs })
        return joinedCall(server, runner, fence, opened)
      },
    },
  }
}

function joinedCall(
  server: RunnerServer,
  runner: () => string,
  fence: number,
  opened: Pick<OpenedCall, 'id' | 'token' | 'accepted'>,
): OpenedCall {
  let taken = 0
  const messagesAfter: OpenedCall['messagesAfter'] = async (seq, signal) => {
    for (;;) {
      signal.throwIfAborted()
      const found = await server.callMessages(runner(), fence, seq, signal)
      if (found.length > 0) return found
    }
  }
  return {
    ...opened,
    messagesAfter,
    async next(signal) {
      const found = await messagesAfter(taken, signal)
      taken = found.at(-1)!.seq
      return found
    },
    keepAccepted: (answer) => server.acceptCall(runner(), fence, answer),
    answer: (seq, answer) => server.answerCall(runner(), fence, seq, answer),
    close: (reason) => unlessLost(server.closeCall(runner(), fence, reason)),
  }
}

async function expectedBy(answer: Promise<{ readonly growth: number | null }>): Promise<number | null> {
  try {
    return (await answer).growth
  } catch (error) {
    if (isAppError(error, 'lease-not-held')) return null
    throw error
  }
}

/** Of a lease that was lost nothing needs to be tidied up: the server refuses what comes for it by itself. */
async function unlessLost(call: Promise<void>): Promise<void> {
  try {
    await call
  } catch (error) {
    if (!isAppError(error, 'lease-not-held')) throw error
  }
}
