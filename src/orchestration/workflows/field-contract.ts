import { isAppError } from '../../foundation/kernel/errors.ts'
import type { JsonValue } from '../../foundation/kernel/json.ts'
import { z } from '../../foundation/kernel/schema.ts'
import { parseDuration, parseSize } from '../../foundation/kernel/units.ts'

/** A closed object: the error for an unknown key lists the keys that exist, so that a near miss can be suggested. */
export function closed<const Shape extends z.ZodRawShape>(shape: Shape): z.ZodObject<Shape, z.core.$strict> {
  const known = Object.keys(shape)
  return z.strictObject(shape, {
    error: (issue) => (issue.code === 'unrecognized_keys' ? `known keys: ${known.join(', ')}` : undefined),
  })
}

function unit(parse: (text: string) => number, pattern: RegExp, expected: string, example: string) {
  return z
    .string(expected)
    .regex(pattern, expected)
    .refine((text) => accepts(parse, text), expected)
    .meta({ examples: [example] })
}

function accepts(parse: (text: string) => number, text: string): boolean {
  try {
    return Number.isSafeInteger(parse(text))
  } catch (error) {
    if (isAppError(error)) return false
    throw error
  }
}

/** A length of time with its unit: `500ms`, `30s`, `5m`, `1h30m`, `2d`. */
export const durationField = unit(
  parseDuration,
  /^(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+$/,
  'expected a duration such as 500ms, 30s, 5m, 1h30m or 2d',
  '5m',
)
/** A number of bytes with its unit: `512MB`, `2GB` (powers of 1024). */
export const sizeField = unit(
  parseSize,
  /^\d+(?:\.\d+)?(?:B|KB|MB|GB)$/,
  'expected a size such as 512KB, 64MB or 2GB',
  '512MB',
)

/** Names of workflows: they appear in paths, commands and URLs. */
export const workflowNameField = z
  .string()
  .regex(/^[a-z0-9]+(?:[-_.][a-z0-9]+)*$/, 'expected lower-case letters and digits, joined by - _ or .')
  .max(100)
/** Names of steps, inputs and outputs: `steps.build-all.outputs.files` is written `steps["build-all"]` in CEL, so _ is handier. */
export const identifierField = z
  .string()
  .regex(/^(?!__)[A-Za-z_][A-Za-z0-9_-]*$/, 'expected a letter or _ (not two), then letters, digits, _ or -')
  .max(64)
export const environmentNameField = z
  .string()
  .regex(
    /^(?!__proto__$)[A-Za-z_][A-Za-z0-9_]*$/,
    'expected the name of an environment variable: letters, digits and _',
  )
  .max(128)
/** A word that pools, capabilities and labels are matched by. */
export const labelField = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._/-]*$/, 'expected letters, digits and . _ / -')
  .max(100)

/** Text that may hold `${{ CEL }}`; numbers and booleans are taken as their text. */
export const textField = z.union([z.string(), z.number(), z.boolean()], 'expected text').transform(String)
/** One CEL expression, bare or inside `${{ }}`. */
export const expressionField = z
  .union([z.string(), z.boolean()], 'expected a CEL expression')
  .transform((value) => unwrapExpression(String(value)))
  .refine((text) => text !== '', 'expected a CEL expression')
/** Any JSON; each string in it may hold `${{ CEL }}`. */
export const jsonField: z.ZodType<JsonValue> = z.json() as z.ZodType<JsonValue>

/** `${{ a > 1 }}` and `a > 1` are the same expression: `a > 1`. */
export function unwrapExpression(text: string): string {
  const trimmed = text.trim()
  const inner = /^\$\{\{([\s\S]*)\}\}$/.exec(trimmed)?.[1]
  return inner === undefined || inner.includes('${{') ? trimmed : inner.trim()
}
