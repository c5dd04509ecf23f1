import type { JsonValue } from '../../foundation/kernel/json.ts'
import { agentErrors, attemptErrorOf } from '../runners/attempt-errors-contract.ts'
import type { Assignment } from '../runners/exchange-contract.ts'
import type { AgentAdapter, AttemptContext, AttemptEnd } from './agent-adapter.ts'

export type InlineFunction = (assignment: Assignment, context: AttemptContext) => JsonValue | Promise<JsonValue>

/**
 * Runs tasks as functions of this very thread: a command by its first word, any other kind of task by the name of its kind.
 * For work that is part of the program, and to measure what the rest costs. Modules of users run in a thread of their own:
 * see `function/`.
 */
export function createInlineAdapter(functions: Readonly<Record<string, InlineFunction>>): AgentAdapter {
  return {
    kind: 'inline',
    enforcement: 'capped',
    async run(assignment, context) {
      const from = performance.now()
      try {
        const { spec } = assignment
        const name = spec.kind === 'command' ? spec.argv[0]! : spec.kind
        const work = Object.hasOwn(functions, name) ? functions[name] : undefined
        if (work === undefined) throw agentErrors['agent-mismatch'](`there is no function ${JSON.stringify(name)}`)
        const answer = work(assignment, context)
        return ended(from, 'succeeded', answer instanceof Promise ? await answer : answer, null)
      } catch (error) {
        if (context.signal.aborted) {
          return ended(from, 'cancelled', null, {
            code: 'cancelled',
            message: String(context.signal.reason),
            retry: 'never',
          })
        }
        return ended(from, 'failed', null, attemptErrorOf(error))
      }
    },
  }
}

function ended(
  from: number,
  outcome: AttemptEnd['outcome'],
  output: JsonValue,
  error: AttemptEnd['error'],
): AttemptEnd {
  const usage = { cpuSeconds: null, maxRssBytes: null, wallSeconds: (performance.now() - from) / 1_000 }
  return { outcome, output, error, usage, artifacts: [], survivors: 0 }
}
