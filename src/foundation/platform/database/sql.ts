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
  if (!inserts.some(isQuery)) return remember({ text: plainText(parts), values: inserts })
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
  return remember({ text, values })
}

/** The text of a statement whose inserts are all values: put together once, so that it is one and the same string. */
function plainText(parts: TemplateStringsArray): string {
  let text = texts.get(parts)
  if (text === undefined) {
    text = parts.map((part, n) => (n === 0 ? part : `$${n}${part}`)).join('')
    texts.set(parts, text)
  }
  return text
}

const texts = new WeakMap<TemplateStringsArray, string>()

function remember(query: Query): Query {
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
