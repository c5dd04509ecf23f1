import type { SessionRules } from '../../../foundation/platform/config/agent-settings.ts'
import type { HttpAgentSettings } from '../../../foundation/platform/config/http-agent.ts'
import { createAddressGuard } from '../../../foundation/platform/network/address-guard.ts'
import type { AgentDriver } from '../sessions/agent-session.ts'
import { httpAgentErrors } from './http-errors.ts'
import type { HttpLanguage } from './http-language.ts'
import { HttpSession } from './http-session.ts'
import type { ServiceCalls } from './service-calls.ts'

export interface HttpDriverOptions {
  readonly pool: string
  readonly settings: HttpAgentSettings
  readonly rules: SessionRules
  readonly language: HttpLanguage
  /** Values of secrets, as they are at the moment. @throws secret-missing */
  readonly readSecret: (name: string, signal: AbortSignal) => Promise<string>
  readonly calls: Pick<ServiceCalls, 'open'>
  /** Where services reach this server; null: nobody knows. */
  readonly serverUrl: (signal: AbortSignal) => Promise<string | null>
}

/** Drives services over HTTP: one request and its answer, or work that they do and tell of later. */
export function createHttpDriver(options: HttpDriverOptions): AgentDriver {
  const { allow } = options.settings
  const guard = createAddressGuard(allow, {
    url: (why) => httpAgentErrors['agent-address-refused'](why),
    address: (why) => httpAgentErrors['agent-address-refused'](why),
  })
  return {
    kind: 'http',
    enforcement: 'reported',
    start: async (assignment, context) => new HttpSession({ ...options, guard }, assignment, context),
  }
}
