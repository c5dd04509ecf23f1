import type { JsonObject, JsonValue } from '../../foundation/kernel/json.ts'
import { explainArtifact, isArtifactValue } from './artifact-value.ts'
import { CelProblem, compileCel } from './cel.ts'
import type { Lookup } from './cel-cost.ts'
import type { ExpressionContext } from './task-contract.ts'
import { hasExpression, parseTemplate } from './template.ts'
import { workflowErrors } from './workflow-errors.ts'

/** A context with the workflow's own `env`, whose values are plain text. */
export interface EvaluationContext extends ExpressionContext {
  readonly env?: Readonly<Record<string, string>>
}

const maxText = 1_048_576

/**
 * The value of a template. `${{ x }}` alone keeps the type of x; with text around it the result is text.
 * Throws `expression-failed`.
 */
export function evaluateTemplate(text: string, context: EvaluationContext): JsonValue {
  if (!hasExpression(text)) return text
  const parsed = parseTemplate(text)
  if (!parsed.ok) throw failed(text, parsed.message)
  const values = parsed.segments.map((segment) =>
    segment.kind === 'text' ? segment.text : evaluateCel(segment.source, context),
  )
  if (values.length === 1) return values[0] as JsonValue
  const result = values.map((value) => writtenOut(value, text)).join('')
  if (result.length > maxText) throw failed(text, `the text is longer than ${maxText} characters`)
  return result
}

/** As `evaluateTemplate`, as text: lists and maps become JSON, null nothing. */
export function evaluateText(text: string, context: EvaluationContext): string {
  return writtenOut(evaluateTemplate(text, context), text)
}

/** Fills the templates in every string of a JSON value; keys stay as they are. */
export function evaluateJson(value: JsonValue, context: EvaluationContext): JsonValue {
  if (typeof value === 'string') return evaluateTemplate(value, context)
  if (value === null || typeof value !== 'object') return value
  if (Array.isArray(value)) return value.map((inner) => evaluateJson(inner, context))
  return Object.fromEntries(
    Object.entries(value as JsonObject).map(([key, inner]) => [key, evaluateJson(inner, context)]),
  )
}

/** The value of `if`, of a gate's condition or of `wait.match`. Throws `expression-failed` unless it is true or false. */
export function evaluateCondition(source: string, context: EvaluationContext): boolean {
  const value = evaluateCel(source, context)
  if (isArtifactValue(value)) throw failed(source, explainArtifact(value))
  if (typeof value !== 'boolean')
    throw failed(source, `expected true or false, found ${JSON.stringify(value)?.slice(0, 80)}`)
  return value
}

/** The value of one CEL expression. Throws `expression-failed`. */
export function evaluateCel(source: string, context: EvaluationContext): JsonValue {
  try {
    return compileCel(source).evaluate(lookupIn(context))
  } catch (error) {
    if (error instanceof CelProblem) throw failed(source, error.message)
    throw error
  }
}

/** An artifact's name and size are never meant where its content would have been, had it been smaller. */
function writtenOut(value: JsonValue, source: string): string {
  if (isArtifactValue(value)) throw failed(source, explainArtifact(value))
  return textOf(value)
}

/** How a value is written where text is needed. */
function textOf(value: JsonValue): string {
  if (typeof value === 'string') return value
  return value === null ? '' : JSON.stringify(value)
}

/** The name in `${{ secrets.NAME }}`; null for anything else. Secrets are references, never values. */
export function secretIn(text: string): string | null {
  return /^\s*\$\{\{\s*secrets\.([A-Za-z_][A-Za-z0-9_]*)\s*\}\}\s*$/.exec(text)?.[1] ?? null
}

function lookupIn(context: EvaluationContext): Lookup {
  const { item } = context
  return (name) => {
    switch (name) {
      case 'inputs':
      case 'steps':
      case 'run':
      case 'repo':
      case 'env':
      case 'event':
        return context[name] as JsonValue | undefined
      case 'index':
        return item?.index
      default:
        return name === item?.name ? item.value : undefined
    }
  }
}

function failed(source: string, reason: string) {
  const shown = source.length > 200 ? `${source.slice(0, 200)}...` : source
  return workflowErrors['expression-failed'](`${shown.trim()}: ${reason}`, { details: { expression: shown, reason } })
}
