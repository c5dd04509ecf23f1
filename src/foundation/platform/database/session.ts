import pg, { type Client, type ClientBase, type QueryResult } from 'pg'
import type { WireValue } from './encode-values.ts'

export interface Statement {
  readonly text: string
  readonly values?: readonly WireValue[]
  /** Keeps the statement prepared under this name for the life of the session. */
  readonly name?: string
}

/** One server session. Statements may be sent without waiting; the server answers them in order. */
export interface Session {
  send(statement: Statement): Promise<QueryResult>
  /** Sends all that `issue` sends in a single write. */
  together<T>(issue: () => T): T
  /** Why the session is dead, once it is. */
  failure(): Error | undefined
}

/** Which of the two database roles runs a transaction. */
export type Role = 'app' | 'system'

/** The part of pg's client that its types leave out. */
interface Wire {
  readonly connection: { readonly stream: { cork(): void; uncork(): void } }
}

/** Wraps a pipelining pg client, whatever it is connected to. Attach it before anything can fail. */
export function createSession(client: ClientBase): Session {
  let failure: Error | undefined
  client.on('error', (error) => {
    failure ??= error
  })
  client.on('end', () => {
    failure ??= new Error('the connection ended')
  })
  const { stream } = (client as Client & Wire).connection
  return {
    send: (statement) => new Promise((resolve, reject) => void client.query(toQuery(statement, resolve, reject))),
    together(issue) {
      stream.cork()
      try {
        return issue()
      } finally {
        stream.uncork()
      }
    },
    failure: () => failure,
  }
}

/** What pg makes of a statement by itself, without the copies of it that it makes on the way. */
function toQuery(
  { text, values, name }: Statement,
  resolve: (result: QueryResult) => void,
  reject: (error: Error) => void,
): pg.Query {
  const query = new pg.Query(text, values as unknown[] | undefined)
  return Object.assign(query, {
    ...(name === undefined ? {} : { name }),
    callback: (error: Error | null, result: QueryResult) => (error ? reject(error) : resolve(result)),
  })
}
