import pg, { type Client, type ClientBase } from 'pg'
import {
  type Connection,
  type KnownShapes,
  type SentStatement,
  type Statement,
  StatementBatch,
  type StatementResult,
} from './statement-batch.ts'

export type { Statement, StatementResult } from './statement-batch.ts'

/**
 * One server session. Statements may be sent without waiting; the server answers them in order. All that is sent within one
 * turn of the event loop leaves in a single write.
 */
export interface Session {
  /** A statement inside a transaction. Where one fails, those sent in the same turn behind it are refused with it. */
  send(statement: Statement): Promise<StatementResult>
  /** A text of one or more statements without parameters, which is carried out whatever became of those before it. */
  control(text: string): Promise<StatementResult>
  /** Why the session is dead, once it is. */
  failure(): Error | undefined
}

/** Which of the two database roles runs a transaction. */
export type Role = 'app' | 'system'

/** Wraps a pipelining pg client, whatever it is connected to. Attach it before anything can fail. */
export function createSession(client: ClientBase): Session {
  let failure: Error | undefined
  client.on('error', (error) => {
    failure ??= error
  })
  client.on('end', () => {
    failure ??= new Error('the connection ended')
  })
  const { connection } = client as Client & { readonly connection: Connection }
  const known: KnownShapes = new Map()
  const texts = new Map<string, string>()
  let waiting: SentStatement[] = []
  let scheduled = false

  const submitWaiting = () => {
    if (waiting.length === 0) return
    const batch = new StatementBatch(waiting, known)
    waiting = []
    void client.query(batch)
  }
  const leave = () => {
    scheduled = false
    submitWaiting()
    connection.stream.uncork()
  }
  const schedule = () => {
    if (scheduled) return
    scheduled = true
    connection.stream.cork()
    process.nextTick(leave)
  }
  return {
    send(statement) {
      const { name, text } = statement
      if (name !== undefined && (texts.get(name) ?? text) !== text) {
        return Promise.reject(new Error(`two statements are prepared as ${name}: ${text}`))
      }
      if (name !== undefined) texts.set(name, text)
      schedule()
      return new Promise((resolve, reject) => void waiting.push({ statement, resolve, reject }))
    },
    control(text) {
      schedule()
      submitWaiting()
      return new Promise((resolve, reject) => {
        const query = new pg.Query(text)
        void client.query(
          Object.assign(query, {
            callback: (error: Error | null, result: StatementResult) => (error ? reject(error) : resolve(result)),
          }),
        )
      })
    },
    failure: () => failure,
  }
}
