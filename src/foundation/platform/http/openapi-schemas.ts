import { createHash } from 'node:crypto'
import { z } from 'zod'

export type JsonSchema = Readonly<Record<string, unknown>>

export interface SchemaBook {
  /** Where a schema is described: a reference to a named one, else the description itself. */
  of(schema: z.ZodType, io: 'input' | 'output'): JsonSchema
  /** The named ones that were asked for, and all they refer to. */
  readonly components: Readonly<Record<string, JsonSchema>>
}

const prefix = '#/components/schemas/'

/**
 * Writes zod schemas as JSON Schema 2020-12. Schemas with a name become components; where what goes in differs from what
 * comes out (defaults, conversions), the former has `Input` behind its name.
 */
export function createSchemaBook(named: ReadonlyMap<z.ZodType, string>, all: readonly z.ZodType[]): SchemaBook {
  const output = describeAll(named, all, 'output')
  const input = describeAll(named, all, 'input')
  const components: Record<string, JsonSchema> = {}
  const nameOf = (id: string, io: 'input' | 'output') => (io === 'input' && differs(id) ? `${id}Input` : id)

  /** Whether it, or anything it refers to, goes in otherwise than it comes out. */
  function differs(id: string, seen = new Set<string>()): boolean {
    if (seen.has(id)) return false
    seen.add(id)
    if (JSON.stringify(input.get(id)) !== JSON.stringify(output.get(id))) return true
    return refsOf(input.get(id)).some((to) => differs(to, seen))
  }

  function place(schema: unknown, io: 'input' | 'output', within: readonly string[] = []): JsonSchema {
    return mapRefs(schema, (to) => {
      // One without a name is written out, unless it stands within itself.
      if (to.startsWith('unnamed-') && !within.includes(to)) {
        return place((io === 'input' ? input : output).get(to), io, [...within, to])
      }
      const name = nameOf(to, io)
      if (!(name in components)) {
        components[name] = {}
        components[name] = place((io === 'input' ? input : output).get(to), io)
      }
      return { $ref: prefix + name }
    }) as JsonSchema
  }

  const ids = idsOf(named, all)
  return {
    components,
    of(schema, io) {
      const id = ids.get(schema)!
      return named.has(schema) ? place({ $ref: prefix + id }, io) : place((io === 'input' ? input : output).get(id), io)
    },
  }
}

function idsOf(named: ReadonlyMap<z.ZodType, string>, all: readonly z.ZodType[]): Map<z.ZodType, string> {
  const ids = new Map(named)
  all.forEach((schema, index) => {
    if (!ids.has(schema)) ids.set(schema, `unnamed-${index}`)
  })
  return ids
}

function describeAll(
  named: ReadonlyMap<z.ZodType, string>,
  all: readonly z.ZodType[],
  io: 'input' | 'output',
): Map<string, unknown> {
  const registry = z.registry<{ id: string }>()
  for (const [schema, id] of idsOf(named, all)) registry.add(schema, { id })
  const { schemas } = z.toJSONSchema(registry, { uri: (id) => prefix + id, io, unrepresentable: 'any' }) as {
    schemas: Record<string, Record<string, unknown>>
  }
  const book = new Map<string, unknown>()
  for (const [id, described] of Object.entries(schemas)) {
    const { $id: _id, $schema: _schema, $defs, ...schema } = described
    if (id !== '__shared') book.set(id, tidy(toComponents(schema, schemas, id), io))
    // Recursive parts of a schema, and those that several share, are components of their own.
    for (const part of Object.values(($defs ?? {}) as Record<string, unknown>)) {
      book.set(partName(part), tidy(toComponents(part, schemas, id), io))
    }
  }
  return book
}

function refsOf(schema: unknown): string[] {
  const refs: string[] = []
  mapRefs(schema, (id) => {
    refs.push(id)
    return {}
  })
  return refs
}

/** By what it says, so that the name stays when others come or go. */
function partName(part: unknown): string {
  const text = JSON.stringify(mapAll(part, (node) => (typeof node.$ref === 'string' ? { $ref: '' } : node)))
  const name = createHash('sha256').update(text).digest('hex').slice(0, 8)
  return text === anyJson ? 'Json' : `Part${name}`
}

/** What `z.json()` becomes. */
const anyJson = JSON.stringify({
  anyOf: [
    { type: 'string' },
    { type: 'number' },
    { type: 'boolean' },
    { type: 'null' },
    { type: 'array', items: { $ref: '' } },
    { type: 'object', propertyNames: { type: 'string' }, additionalProperties: { $ref: '' } },
  ],
})

/** Answers may get more fields without a new version, and that a number is a safe integer is clear without its bounds. */
function tidy(schema: unknown, io: 'input' | 'output'): unknown {
  if (Array.isArray(schema)) return schema.map((item) => tidy(item, io))
  if (typeof schema !== 'object' || schema === null) return schema
  return Object.fromEntries(
    Object.entries(schema)
      .filter(([key, value]) => !(io === 'output' && key === 'additionalProperties' && value === false))
      .filter(([, value]) => value !== Number.MAX_SAFE_INTEGER && value !== Number.MIN_SAFE_INTEGER)
      .map(([key, value]) => [key, tidy(value, io)]),
  )
}

/** References to parts of a schema as references to components. */
function toComponents(schema: unknown, all: Readonly<Record<string, Record<string, unknown>>>, owner: string): unknown {
  return mapAll(schema, (node) => {
    if (typeof node.$ref !== 'string') return node
    const part = /^(.*)#\/\$defs\/(.+)$/.exec(node.$ref)
    if (part === null) return node.$ref === '#' ? { ...node, $ref: prefix + owner } : node
    const holder = all[part[1] === '' ? owner : part[1]!.slice(prefix.length)]
    const parts = holder?.$defs as Readonly<Record<string, unknown>>
    return { ...node, $ref: prefix + partName(parts[part[2]!]) }
  })
}

function mapRefs(schema: unknown, replace: (id: string) => unknown): unknown {
  return mapAll(schema, (node) => {
    if (typeof node.$ref !== 'string' || !node.$ref.startsWith(prefix)) return node
    const { $ref, ...rest } = node
    return { ...(replace(($ref as string).slice(prefix.length)) as object), ...rest }
  })
}

function mapAll(value: unknown, change: (node: Record<string, unknown>) => Record<string, unknown>): unknown {
  if (Array.isArray(value)) return value.map((item) => mapAll(item, change))
  if (typeof value !== 'object' || value === null) return value
  const node = change(value as Record<string, unknown>)
  if (node !== value) return node
  return Object.fromEntries(Object.entries(node).map(([key, inner]) => [key, mapAll(inner, change)]))
}
