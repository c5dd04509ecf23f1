import type { TokenUse } from '../../../foundation/kernel/model-price.ts'
import type { SessionRules } from '../../../foundation/platform/config/agent-settings.ts'
import type { LlmAgentSettings } from '../../../foundation/platform/config/llm-agent.ts'
import type { OpenContextMeter } from '../../context-growth/context-meter.ts'
import type { AgentProcessHost } from '../sessions/agent-process.ts'
import type { AgentDriver } from '../sessions/agent-session.ts'
import { openSession } from '../sessions/open-session.ts'
import type { OpenToolGrants } from '../sessions/tool-grants.ts'
import { LlmSession } from './llm-session.ts'

export interface LlmDriverOptions {
  readonly settings: LlmAgentSettings
  readonly rules: SessionRules
  /** How its commands are started. */
  readonly processes: AgentProcessHost
  /** Micro-dollars; null: nobody knows the price of the model. */
  readonly costOf: (model: string, use: TokenUse) => number | null
  readonly meter: OpenContextMeter
  /** Tools of MCP servers. Default: none. */
  readonly tools?: OpenToolGrants
  readonly fetch?: typeof fetch
  /** From one try of a call to the next, ms. Default 1,000. */
  readonly retryMs?: number
}

/** Drives models with tools of ours: a loop that ends when the model has nothing more to do, or at its bounds. */
export function createLlmDriver(options: LlmDriverOptions): AgentDriver {
  return {
    kind: 'llm',
    // Every call goes through the gateway, with the key of the attempt.
    enforcement: 'metered',
    start: (assignment, context) => openSession(new LlmSession(options, assignment, context)),
  }
}
