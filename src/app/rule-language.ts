import type { RuleLanguage } from '../external-api/webhooks/index.ts'
import { webhookErrors } from '../external-api/webhooks/index.ts'
import type { JsonObject, JsonValue } from '../foundation/kernel/json.ts'
import { CelProblem, compileCel, parseCel } from '../orchestration/workflows/cel.ts'
import { freeNames } from '../orchestration/workflows/cel-ast.ts'
import { hasExpression, parseTemplate } from '../orchestration/workflows/template.ts'

/** The expressions of workflows for the rules of webhooks: the same bounds, other names. */
export const ruleLanguage = createRuleLanguage((source, reason) =>
  webhookErrors['webhook-rule-invalid'](`${source.slice(0, 200)}: ${reason}`, { details: { reason } }),
)

/** The expressions of workflows for other places. @param refuse the error for one that cannot be used */
export function createRuleLanguage(refuse: Refuse): RuleLanguage {
  return {
    checkCondition: (source, names) => check(source, names, refuse),
    checkTemplates(value, names) {
      forEachText(value, (text) => {
        for (const segment of segmentsOf(text, refuse))
          if (segment.kind === 'expression') check(segment.source, names, refuse)
      })
    },
    condition(source, context) {
      const value = evaluate(source, context, refuse)
      if (typeof value === 'boolean') return value
      throw refuse(source, `expected true or false, found ${JSON.stringify(value)?.slice(0, 80)}`)
    },
    fill: (value, context) => fill(value, context, refuse),
  }
}

type Refuse = (source: string, reason: string) => Error

function check(source: string, names: readonly string[], refuse: Refuse): void {
  try {
    for (const name of freeNames(parseCel(source))) {
      if (!names.includes(name)) throw refuse(source, `there is no ${name} here; there is ${names.join(', ')}`)
    }
  } catch (error) {
    if (error instanceof CelProblem) throw refuse(source, error.message)
    throw error
  }
}

function evaluate(source: string, context: JsonObject, refuse: Refuse): JsonValue {
  try {
    return compileCel(source).evaluate((name) => (Object.hasOwn(context, name) ? context[name] : undefined))
  } catch (error) {
    if (error instanceof CelProblem) throw refuse(source, error.message)
    throw error
  }
}

function fill(value: JsonValue, context: JsonObject, refuse: Refuse): JsonValue {
  if (typeof value === 'string') return fillText(value, context, refuse)
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((inner: JsonValue) => fill(inner, context, refuse))
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key, fill(inner as JsonValue, context, refuse)]),
  )
}

/** An expression that stands alone keeps the type of its value; among other text it becomes text. */
function fillText(text: string, context: JsonObject, refuse: Refuse): JsonValue {
  const values = segmentsOf(text, refuse).map((segment) =>
    segment.kind === 'text' ? segment.text : evaluate(segment.source, context, refuse),
  )
  if (values.length === 1) return values[0]!
  return values
    .map((value) => (typeof value === 'string' ? value : value === null ? '' : JSON.stringify(value)))
    .join('')
}

function segmentsOf(text: string, refuse: Refuse) {
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
