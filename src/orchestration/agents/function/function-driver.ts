import { access } from 'node:fs/promises'
import { pathToFileURL } from 'node:url'
import type { SessionRules } from '../../../foundation/platform/config/agent-settings.ts'
import type { FunctionAgentSettings } from '../../../foundation/platform/config/function-agent.ts'
import { agentErrors } from '../../runners/attempt-errors-contract.ts'
import type { AgentDriver } from '../sessions/agent-session.ts'
import { FunctionSession } from './function-session.ts'

export interface FunctionDriverOptions {
  readonly settings: FunctionAgentSettings
  readonly rules: SessionRules
  /** The module as an absolute path. */
  readonly module: string
}

/** Runs a module of the project, each attempt in a thread of its own. */
export function createFunctionDriver({ settings, rules, module }: FunctionDriverOptions): AgentDriver {
  return {
    kind: 'function',
    enforcement: 'capped',
    async start(assignment, context) {
      await access(module).catch((cause: unknown) => {
        throw agentErrors['agent-mismatch'](`the module ${settings.module} of the pool is not there`, { cause })
      })
      return new FunctionSession({
        ...{ assignment, context, rules, module: pathToFileURL(module).href },
        memoryBytes: settings.memoryBytes,
      })
    },
  }
}
