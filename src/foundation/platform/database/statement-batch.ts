import pg from 'pg'
import { decodeTypes } from './decode-values.ts'
import type { WireValue } from './encode-values.ts'

export interface Statement {
  readonly text: string
  readonly values?: readonly WireValue[]
  /** Keeps the statement prepared under this name for the life of the session. */
  readonly name?: string
}

/** What the server answered to a statement. */
export interface StatementResult {
  readonly rows: readonly Readonly<Record<string, unknown>>[]
  readonly rowCount: number | null
  /** The first word of what was done, such as `INSERT` or `ROLLBACK`. */
  readonly command: string
}

/** A statement and whoever waits for its answer. */
export interface SentStatement {
  readonly statement: Statement
  readonly resolve: (result: StatementResult) => void
  readonly reject: (error: Error) => void
}

/** How the rows of a statement are read. */
interface RowShape {
  readonly names: readonly string[]
  readonly decode: readonly ((text: string) => unknown)[]
  /** A row of nulls: copies of it share what the engine knows of their form. */
  readonly empty: Readonly<Record<string, null>>
}

/** The shapes that a session knows, by the name of the prepared statement: the server need not tell them again. */
export type KnownShapes = Map<string, RowShape>

/** The part of pg's connection that its types leave out. */
export interface Connection {
  readonly stream: { cork(): void; uncork(): void }
  readonly parsedStatements: Record<string, string>
  readonly submittedNamedStatements: Record<string, string>
  parse(statement: { readonly text: string; readonly name: string | undefined }): void
  bind(values: { readonly statement: string | undefined; readonly values: readonly WireValue[] }): void
  describe(portal: { readonly type: 'P'; readonly name: '' }): void
  execute(portal: { readonly portal: '' }): void
  sync(): void
}

const noShape: RowShape = { names: [], decode: [], empty: {} }

/**
 * Statements of one transaction that travel in one write, and whose answers the server sends in one. It asks for them once,
 * behind the last statement: the server wakes its client once, where it would for each. After a statement that fails, the
 * server passes over the rest.
 */
export class StatementBatch extends pg.Query {
  declare name: string | undefined
  declare text: string
  declare callback: (error: Error | null) => void
  readonly #parts: readonly SentStatement[]
  readonly #known: KnownShapes
  #at = 0
  #shape: RowShape = noShape
  #rows: Record<string, unknown>[] = []
  #unreadable: Error | undefined

  constructor(parts: readonly SentStatement[], known: KnownShapes) {
    super('')
    this.#parts = parts
    this.#known = known
    this.callback = () => undefined
    this.#begin()
  }

  override submit = (connection: pg.Connection): void => this.#submit(connection as unknown as Connection)

  handleRowDescription({ fields }: { readonly fields: readonly { name: string; dataTypeID: number }[] }): void {
    this.#shape = {
      names: fields.map((field) => field.name),
      decode: fields.map((field) => decodeTypes.getTypeParser(field.dataTypeID)),
      empty: Object.fromEntries(fields.map((field) => [field.name, null])),
    }
  }

  handleDataRow({ fields }: { readonly fields: readonly (string | null)[] }): void {
    if (this.#unreadable) return
    const { names, decode, empty } = this.#shape
    const row: Record<string, unknown> = { ...empty }
    try {
      for (let n = 0; n < names.length; n++) {
        const text = fields[n]!
        if (text !== null) row[names[n]!] = decode[n]!(text)
      }
      this.#rows.push(row)
    } catch (error) {
      this.#unreadable = error as Error
    }
  }

  handleCommandComplete({ text }: { readonly text: string }): void {
    const { statement, resolve, reject } = this.#parts[this.#at]!
    if (statement.name !== undefined) this.#known.set(statement.name, this.#shape)
    const words = text.split(' ')
    const count = words.length > 1 ? Number(words.at(-1)) : null
    if (this.#unreadable) reject(this.#unreadable)
    else resolve({ rows: this.#rows, rowCount: count, command: words[0]! })
    this.#at += 1
    this.#begin()
  }

  handleEmptyQuery(): void {
    this.handleCommandComplete({ text: '' })
  }

  /** A statement failed, or the connection did: all that follows has not been done. */
  handleError(error: Error, connection: Connection): void {
    const rest = this.#parts.slice(this.#at)
    this.#at = this.#parts.length
    rest.forEach(({ statement: { name }, reject }, n) => {
      // pg has been told of a preparation that the server passed over.
      if (name !== undefined && connection.parsedStatements[name] === undefined) {
        delete connection.submittedNamedStatements[name]
      }
      reject(n > 0 && error instanceof pg.DatabaseError ? passedOver(error) : error)
    })
    this.callback(error)
  }

  handleReadyForQuery(): void {
    this.callback(null)
  }

  #submit(connection: Connection): void {
    for (const { statement } of this.#parts) {
      const { name, text, values = [] } = statement
      if (!isPrepared(connection, name)) {
        connection.parse({ text, name })
        if (name !== undefined) {
          connection.submittedNamedStatements[name] = text
          this.#known.delete(name)
        }
      }
      connection.bind({ statement: name, values })
      if (name === undefined || !this.#known.has(name)) connection.describe({ type: 'P', name: '' })
      connection.execute({ portal: '' })
    }
    connection.sync()
  }

  /** pg notes the preparation of a statement under what it finds here when the server tells of it. */
  #begin(): void {
    const next = this.#parts[this.#at]?.statement
    this.name = next?.name
    this.text = next?.text ?? ''
    this.#shape = (next?.name === undefined ? undefined : this.#known.get(next.name)) ?? noShape
    this.#rows = []
    this.#unreadable = undefined
  }
}

function isPrepared(connection: Connection, name: string | undefined): boolean {
  if (name === undefined) return false
  return connection.parsedStatements[name] !== undefined || connection.submittedNamedStatements[name] !== undefined
}

/** What the server would have said to a statement behind a failed one, had it been asked for its answer there. */
function passedOver(cause: pg.DatabaseError): Error {
  const text = 'current transaction is aborted, commands ignored until end of transaction block'
  return Object.assign(new pg.DatabaseError(text, 0, 'error'), { code: '25P02', severity: 'ERROR', cause })
}
