import fc from 'fast-check'
import { z } from '../../src/foundation/kernel/schema.ts'

type JsonSchema = Readonly<Record<string, unknown>>

/** What goes into a schema, as JSON Schema. */
export function inputSchemaOf(schema: z.ZodType): JsonSchema {
  return z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any', cycles: 'ref', reused: 'inline' }) as JsonSchema
}

/** A smallest value that fits: what is required, texts as `text` says. Not every pattern can be met; most can. */
export function smallestOf(schema: JsonSchema, text: string, root: JsonSchema = schema): unknown {
  if (typeof schema.$ref === 'string') return null
  if (schema.const !== undefined) return schema.const
  if (Array.isArray(schema.enum)) return schema.enum[0]
  const either = (schema.anyOf ?? schema.oneOf) as readonly JsonSchema[] | undefined
  if (either !== undefined) return smallestOf(either[0]!, text, root)
  switch (Array.isArray(schema.type) ? schema.type[0] : schema.type) {
    case 'object': {
      const properties = (schema.properties ?? {}) as Record<string, JsonSchema>
      const wanted = (schema.required ?? []) as readonly string[]
      return Object.fromEntries(wanted.map((name) => [name, smallestOf(properties[name] ?? {}, text, root)]))
    }
    case 'array':
      return Array.from({ length: Number(schema.minItems ?? 0) }, () =>
        smallestOf((schema.items ?? {}) as JsonSchema, text, root),
      )
    case 'integer':
    case 'number':
      return Math.max(Number(schema.minimum ?? 1), 1)
    case 'boolean':
      return false
    case 'null':
      return null
    default:
      return text
  }
}

const hostileTexts = [
  ...[
    '',
    ' ',
    '\0',
    '\u202e',
    '😀',
    '\ud800',
    '../../etc/passwd',
    '%2e%2e%2f',
    '${{ secrets.X }}',
    '<script>',
    "'; --",
  ],
  ...['__proto__', 'constructor', 'a'.repeat(300), '9999999999999999999', '-1', '1e999', 'NaN', 'null', '\r\nx: y'],
]

/** Values that a schema takes, some at the edge of it. */
export function fittingOf(schema: JsonSchema, root: JsonSchema = schema, depth = 0): fc.Arbitrary<unknown> {
  if (typeof schema.$ref === 'string') {
    const name = schema.$ref.split('/').at(-1)!
    const target = (root.$defs as Record<string, JsonSchema> | undefined)?.[name]
    return target === undefined || depth > 4 ? fc.jsonValue({ maxDepth: 2 }) : fittingOf(target, root, depth + 1)
  }
  if (schema.const !== undefined) return fc.constant(schema.const)
  if (Array.isArray(schema.enum)) return fc.constantFrom(...schema.enum)
  const either = (schema.anyOf ?? schema.oneOf) as readonly JsonSchema[] | undefined
  if (either !== undefined) return fc.oneof(...either.map((one) => fittingOf(one, root, depth + 1)))
  const type = Array.isArray(schema.type) ? schema.type[0] : schema.type
  switch (type) {
    case 'object':
      return objectOf(schema, root, depth)
    case 'array': {
      const least = Number(schema.minItems ?? 0)
      return fc.array(fittingOf((schema.items ?? {}) as JsonSchema, root, depth + 1), {
        minLength: least,
        maxLength: Math.max(least, Math.min(Number(schema.maxItems ?? 3), least + 3)),
      })
    }
    case 'integer':
      return fc.integer({
        min: Math.max(Number(schema.minimum ?? -1_000), Number.MIN_SAFE_INTEGER),
        max: Math.min(Number(schema.maximum ?? 1_000), Number.MAX_SAFE_INTEGER),
      })
    case 'number':
      return fc.double({ min: Number(schema.minimum ?? -1e6), max: Number(schema.maximum ?? 1e6), noNaN: true })
    case 'boolean':
      return fc.boolean()
    case 'null':
      return fc.constant(null)
    case 'string':
      return textOf(schema)
    default:
      return fc.jsonValue({ maxDepth: 2 })
  }
}

function objectOf(schema: JsonSchema, root: JsonSchema, depth: number): fc.Arbitrary<unknown> {
  const properties = (schema.properties ?? {}) as Record<string, JsonSchema>
  const required = new Set((schema.required ?? []) as readonly string[])
  const fields = Object.fromEntries(
    Object.entries(properties).map(([name, field]) => [name, fittingOf(field, root, depth + 1)]),
  )
  const own = fc.record(fields, { requiredKeys: [...required].filter((name) => name in fields) })
  const more = schema.additionalProperties
  if (typeof more !== 'object') return own
  const rest = fc.dictionary(fc.string({ maxLength: 10 }), fittingOf(more as JsonSchema, root, depth + 1), {
    maxKeys: 3,
  })
  return fc.tuple(own, rest).map(([a, b]) => ({ ...b, ...a }))
}

function textOf(schema: JsonSchema): fc.Arbitrary<unknown> {
  if (typeof schema.pattern === 'string') {
    try {
      return fc.stringMatching(new RegExp(schema.pattern))
    } catch {
      // Some patterns hold what the generator does not know: then anything will do.
    }
  }
  if (schema.format === 'date-time')
    return fc.date({ noInvalidDate: true, min: new Date(0), max: new Date(4e12) }).map((d) => d.toISOString())
  const bounds = {
    minLength: Number(schema.minLength ?? 0),
    maxLength: Math.min(Number(schema.maxLength ?? 50), Number(schema.minLength ?? 0) + 50),
  }
  return fc.oneof(fc.string({ ...bounds, unit: 'binary' }), fc.string(bounds))
}

/** Values near a schema: a fitting one with a field changed, left out or added, and things that are nothing of the kind. */
export function nearOf(schema: JsonSchema): fc.Arbitrary<unknown> {
  const odd = fc.oneof(
    fc.constantFrom<unknown>(...hostileTexts, null, -1, 1e308, [], {}, true),
    fc.jsonValue({ maxDepth: 3 }),
  )
  const changed = fc.tuple(fittingOf(schema), fc.nat(), odd).map(([value, which, other]) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return other
    const names = Object.keys(value)
    if (names.length === 0) return { extra: other }
    return { ...value, [names[which % names.length]!]: other }
  })
  return fc.oneof(
    { weight: 3, arbitrary: fittingOf(schema) },
    { weight: 3, arbitrary: changed },
    { weight: 1, arbitrary: odd },
  )
}

export const hostileText = fc.oneof(fc.constantFrom(...hostileTexts), fc.string({ unit: 'binary', maxLength: 40 }))
