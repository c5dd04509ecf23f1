import type { RuleLanguage } from '../external-api/webhooks/index.ts'
import { webhookErrors } from '../external-api/webhooks/index.ts'
import type { JsonObject, JsonValue } from '../foundation/kernel/json.ts'
import { CelProblem, compileCel, parseCel } from '../orchestration/workflows/cel.ts'
import { freeNames } from '../orchestration/workflows/cel-ast.ts'
import { hasExpression, parseTemplate } from '../orchestration/workflows/template.ts'

/** The expressions of workflows for the rules of webhooks: the same bounds, other names. */
export const ruleLanguage: RuleLanguage = {
  checkCondition: check,
  checkTemplates(value, names) {
    forEachText(value, (text) => {
      for (const segment of segmentsOf(text)) if (segment.kind === 'expression') check(segment.source, names)
    })
  },
  condition(source, context) {
    const value = evaluate(source, context)
    if (typeof value === 'boolean') return value
    throw refuse(source, `expected true or false, found ${JSON.stringify(value)?.slice(0, 80)}`)
  },
  fill,
}

function check(source: string, names: readonly string[]): void {
  try {
    for (const name of freeNames(parseCel(source))) {
      if (!names.includes(name)) throw refuse(source, `there is no ${name} here; there is ${names.join(', ')}`)
    }
  } catch (error) {
    if (error instanceof CelProblem) throw refuse(source, error.message)
    throw error
  }
}

function evaluate(source: string, context: JsonObject): JsonValue {
  try {
    return compileCel(source).evaluate((name) => (Object.hasOwn(context, name) ? context[name] : undefined))
  } catch (error) {
    if (error instanceof CelProblem) throw refuse(source, error.message)
    throw error
  }
}

function fill(value: JsonValue, context: JsonObject): JsonValue {
  if (typeof value === 'string') return fillText(value, context)
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((inner: JsonValue) => fill(inner, context))
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, fill(inner as JsonValue, context)]))
}

/** An expression that stands alone keeps the type of its value; among other text it becomes text. */
function fillText(text: string, context: JsonObject): JsonValue {
  const values = segmentsOf(text).map((segment) =>
    segment.kind === 'text' ? segment.text : evaluate(segment.source, context),
  )
  if (values.length === 1) return values[0]!
  return values
    .map((value) => (typeof value === 'string' ? value : value === null ? '' : JSON.stringify(value)))
    .join('')
}

function segmentsOf(text: string) {
  if (!hasExpression(text)) return [{ kind: 'text', text } as const]
  const parsed = parseTemplate(text)
  if (!parsed.ok) throw refuse(text, parsed.message)
  return parsed.segments
}

function forEachText(value: JsonValue, visit: (text: string) => void): void {
  if (typeof value === 'string') visit(value)
  else if (typeof value === 'object' && value !== null) {
    for (const inner of Object.values(value)) forEachText(inner as JsonValue, visit)
  }
}

function refuse(source: string, reason: string): Error {
  return webhookErrors['webhook-rule-invalid'](`${source.slice(0, 200)}: ${reason}`, { details: { reason } })
}
