import pg from 'pg'
import { beginStatements } from '../begin-statements.ts'
import { databaseErrors, translateError } from '../database-errors.ts'
import type { Backend } from '../scope.ts'
import { createSession, type Role, type Session } from '../session.ts'
import { clientConfig, type PostgresOptions, prepareClient, type SettingsMode } from './postgres-options.ts'

export interface Pools extends Backend {
  close(): Promise<void>
}

/**
 * Plans are kept for so long at first, ms: one that was made while a table was empty must not outlive that for long. Making
 * all of them anew holds up a transaction by tens of milliseconds, so that each renewal doubles the time to the next.
 */
const firstPlanAgeMs = 10_000
const longestPlanAgeMs = 640_000

/** Two pools, each connecting as its role, so that a transaction only has to name its tenant. */
export function openPools(options: PostgresOptions, mode: SettingsMode): Pools {
  const sessions = new WeakMap<pg.PoolClient, Session>()
  const planned = new WeakMap<Session, { readonly at: number; readonly ageMs: number }>()
  const renewPlans = (session: Session) => {
    const now = performance.now()
    const last = planned.get(session)
    if (last !== undefined && now - last.at < last.ageMs) return
    const ageMs = last === undefined ? firstPlanAgeMs : Math.min(longestPlanAgeMs, last.ageMs * 2)
    planned.set(session, { at: now, ageMs })
    // Travels before the transaction. Where it fails the session has failed, which the transaction finds out.
    if (last !== undefined) session.control('discard plans').catch(() => undefined)
  }
  const open = (role: Role, max: number) => {
    const pool = new pg.Pool({
      ...clientConfig(options, role, mode),
      max,
      idleTimeoutMillis: 30_000,
      onConnect: (client) => prepareClient(client, options, role, mode),
    })
    pool.on('connect', (client) => void sessions.set(client, createSession(client)))
    // A broken idle connection leaves the pool by itself; the next caller gets a fresh one or a clear error.
    pool.on('error', () => undefined)
    return pool
  }
  const pools = { app: open('app', options.poolSize ?? 10), system: open('system', options.systemPoolSize ?? 5) }
  return {
    async withSession(role, fn) {
      const client = await acquire(pools[role])
      const session = sessions.get(client)!
      renewPlans(session)
      try {
        return await fn(session)
      } finally {
        client.release(session.failure() !== undefined)
      }
    },
    // Behind a pooler the role is set again each time: isolation must not hang on what it does with sessions.
    begin: (role, tenant, readOnly) => beginStatements(mode === 'statements' ? role : null, tenant, readOnly),
    async close() {
      const ended = Object.values(pools).map((pool) => {
        const lent = pool.totalCount > pool.idleCount
        const end = pool.end()
        // A connection that its transaction never gives back is not waited for: the server ends it as idle.
        return lent ? undefined : end
      })
      await Promise.all(ended)
    },
  }
}

async function acquire(pool: pg.Pool): Promise<pg.PoolClient> {
  try {
    return await pool.connect()
  } catch (error) {
    if (error instanceof Error && error.message.startsWith('timeout exceeded')) {
      throw databaseErrors['database-busy']('no database connection became free in time', { cause: error })
    }
    throw translateError(error)
  }
}
