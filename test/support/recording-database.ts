import type { Database, ReadTx, Scope, Tx } from '../../src/foundation/platform/database/database.ts'
import type { Query } from '../../src/foundation/platform/database/sql.ts'

/** The same database, with the text of every statement kept. */
export function recording(database: Database): { readonly database: Database; readonly statements: string[] } {
  const statements: string[] = []
  const watch = <T extends ReadTx>(tx: T): T =>
    new Proxy(tx, {
      get(target, name) {
        const value = Reflect.get(target, name, target) as unknown
        if (typeof value !== 'function') return value
        if (name !== 'query' && name !== 'execute' && name !== 'post') return value.bind(target)
        return (query: Query) => {
          statements.push(query.text)
          return (value as (query: Query) => unknown).call(target, query)
        }
      },
    })
  const scope = (inner: Scope): Scope => ({
    read: (fn) => inner.read((tx) => fn(watch(tx))),
    write: (fn, options) => inner.write((tx: Tx) => fn(watch(tx)), options),
  })
  return {
    statements,
    database: {
      kind: database.kind,
      clock: database.clock,
      pulse: database.pulse,
      forTenant: (tenant) => scope(database.forTenant(tenant)),
      // The loops behind the scenes work in system scope; only what requests do there by these names is kept.
      asSystem: (reason) => (inRequests.has(reason) ? scope(database.asSystem(reason)) : database.asSystem(reason)),
      listen: (channel, hint) => database.listen(channel, hint),
      notify: (channel, payload) => database.notify(channel, payload),
      close: () => database.close(),
      [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
    },
  }
}

const inRequests: ReadonlySet<string> = new Set(['agents-view', 'monitor', 'tenants'])
