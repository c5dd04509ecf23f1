import type { ModelCall } from './calls-store.ts'
import type { Target } from './catalog.ts'
import type { AskedCall } from './gateway.ts'
import type { HeldAmounts } from './standing-hold.ts'
import type { ModelUsage } from './wire/wire.ts'

/** What became of one sending of a call. */
export interface CallEnd {
  readonly outcome: ModelCall['outcome']
  readonly status: number | null
  /** Null: nobody has counted. */
  readonly usage: ModelUsage | null
  readonly answer: string
}

export const noUsage: ModelUsage = {
  ...{ inputTokens: 0, outputTokens: 0, cacheReadTokens: 0, cacheWriteTokens: 0, longCacheWriteTokens: 0 },
}

export interface EndedCall extends Pick<ModelCall, 'streamed' | 'startedAt' | 'endedAt' | 'waitMs' | 'firstByteMs'> {
  readonly id: string
  readonly asked: AskedCall
  /** The name that was asked for. */
  readonly name: string
  readonly target: Target
  readonly end: CallEnd
  /** Null: nobody can price it. */
  readonly microUsd: number | null
  readonly held: HeldAmounts
}

/** A call as it is listed. */
export function modelCallOf({ asked, name, target, end, held, ...rest }: EndedCall): ModelCall {
  const { longCacheWriteTokens: _long, ...tokens } = end.usage ?? noUsage
  const { key } = asked
  return {
    ...{ ...rest, ...tokens, counted: end.usage !== null, outcome: end.outcome, status: end.status },
    ...{ tenant: asked.tenant, keyId: asked.keyId, wire: asked.wire as ModelCall['wire'], asked: name },
    ...{ runId: key?.runId ?? null, taskId: key?.taskId ?? null, agentId: key?.agentId ?? null },
    ...{ model: target.model, account: target.account.name, provider: target.account.provider },
    ...{ heldMicroUsd: held['micro-usd'], heldTokens: held.tokens },
  }
}
