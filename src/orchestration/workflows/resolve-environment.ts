import { type EvaluationContext, evaluateText, secretIn } from './expressions.ts'
import { workflowErrors } from './workflow-errors.ts'

export interface ResolvedEnvironment {
  readonly env: Readonly<Record<string, string>>
  /** Variable -> name of the secret. */
  readonly secretEnv: Readonly<Record<string, string>>
}

const none: ResolvedEnvironment = { env: {}, secretEnv: {} }

/** Fills the values in; a secret stays a name. What is set later wins, also over a secret of the same name. */
export function resolveEnvironment(
  source: Readonly<Record<string, string>> | undefined,
  context: EvaluationContext,
  base: ResolvedEnvironment = none,
): ResolvedEnvironment {
  const env = new Map(Object.entries(base.env))
  const secretEnv = new Map(Object.entries(base.secretEnv))
  for (const [name, value] of Object.entries(source ?? {})) {
    const secret = secretIn(value)
    env.delete(name)
    secretEnv.delete(name)
    if (secret === null) env.set(name, cleanText(evaluateText(value, context), `env.${name}`))
    else secretEnv.set(name, secret)
  }
  return { env: Object.fromEntries(env), secretEnv: Object.fromEntries(secretEnv) }
}

/** No argument and no variable can hold a NUL character: the system would cut the text there. */
export function cleanText(text: string, what: string): string {
  if (text.includes('\0')) {
    throw workflowErrors['expression-failed'](
      `${what}: the value holds a NUL character, which no program can be given`,
      {
        details: { reason: 'NUL character' },
      },
    )
  }
  return text
}
