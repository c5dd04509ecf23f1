/** A value that can stand for a `${}` in a statement. Objects travel as JSON, arrays as PostgreSQL arrays. */
export type SqlValue = unknown

/** A statement with its parameters. A `name` asks the server to keep it prepared: for hot statements only. */
export interface Query {
  readonly text: string
  readonly values: readonly SqlValue[]
  readonly name?: string
}

/**
 * Builds a statement: ``sql`select * from runs where id = ${id}` ``. Values become parameters; a nested `Query` is
 * spliced in with its own parameters renumbered. Nothing is ever interpolated as text.
 */
export function sql(parts: TemplateStringsArray, ...inserts: readonly SqlValue[]): Query {
  const values: SqlValue[] = []
  let text = parts[0] ?? ''
  inserts.forEach((insert, index) => {
    if (isQuery(insert)) {
      const offset = values.length
      text += insert.text.replace(/\$(\d+)/g, (_, n: string) => `$${Number(n) + offset}`)
      values.push(...insert.values)
    } else {
      values.push(insert)
      text += `$${values.length}`
    }
    text += parts[index + 1] ?? ''
  })
  const query = { text, values }
  queries.add(query)
  return query
}

/** As `sql`, kept prepared by the server under a name: for statements that are sent often. */
export function prepared(name: string) {
  return (parts: TemplateStringsArray, ...inserts: readonly SqlValue[]): Query => ({ ...sql(parts, ...inserts), name })
}

/** Marks a value that must travel as JSON although it is an array, a string or null. */
export class Json {
  readonly value: unknown
  constructor(value: unknown) {
    this.value = value
  }
}

export function json(value: unknown): Json {
  return new Json(value)
}

const queries = new WeakSet<object>()

function isQuery(value: unknown): value is Query {
  return typeof value === 'object' && value !== null && queries.has(value)
}
