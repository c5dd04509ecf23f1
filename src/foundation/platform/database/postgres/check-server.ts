import pg from 'pg'
import { defineErrors } from '../../../kernel/errors.ts'
import { translateError } from '../database-errors.ts'
import { roles } from '../roles.ts'
import { clientConfig, type PostgresOptions, sessionSettings } from './postgres-options.ts'

const errors = defineErrors({
  'server-too-old': {
    kind: 'unavailable',
    retry: 'never',
    when: 'DATABASE_URL names a PostgreSQL older than 15',
    next: 'use PostgreSQL 15 or newer',
  },
  'role-bypasses-policies': {
    kind: 'unavailable',
    retry: 'never',
    when: 'a database role of the program is a superuser, has BYPASSRLS or, for leanvibe_app, belongs to leanvibe_system, so tenants would not be kept apart',
    next: 'run `alter role leanvibe_app nosuperuser nobypassrls`, the same for leanvibe_system, and `revoke leanvibe_system from leanvibe_app`',
  },
  'pooler-unsupported': {
    kind: 'unavailable',
    retry: 'never',
    when: 'the database is reached through a pooler that drops session settings or shares sessions between transactions',
    next: 'connect to PostgreSQL directly or through a pooler in session mode that passes start-up options on',
  },
})

/** What a session says about itself. */
export interface SessionFacts {
  readonly version: number
  readonly version_text: string
  readonly role: string
  readonly bypasses: boolean
  readonly pid: number
  readonly plan_cache_mode: string
  readonly idle_limit: string
}

/** A member of the system role has its policy too, which shows the rows of every tenant. */
const factsQuery = `
  select current_setting('server_version_num')::int as version, current_setting('server_version') as version_text,
    current_user::text as role, rolsuper or rolbypassrls
      or current_user <> '${roles.system}' and pg_has_role(current_user, '${roles.system}', 'member') as bypasses, pg_backend_pid() as pid,
    current_setting('plan_cache_mode') as plan_cache_mode,
    (extract(epoch from current_setting('idle_in_transaction_session_timeout')::interval) * 1000)::bigint::text as idle_limit
  from pg_roles where rolname = current_user`

/** Refuses a server on which isolation or the time limits would not hold. */
export async function checkServer(options: PostgresOptions): Promise<void> {
  // Two sessions of each role at once: behind a transaction-mode pooler idle ones share a server process.
  for (const role of ['app', 'system'] as const) {
    const clients = [new pg.Client(clientConfig(options, role)), new pg.Client(clientConfig(options, role))]
    try {
      const facts: SessionFacts[] = []
      for (const client of clients) client.on('error', () => undefined)
      for (const client of clients) await client.connect()
      for (const client of clients) facts.push((await client.query<SessionFacts>(factsQuery)).rows[0]!)
      const refusal = findRefusal(facts, sessionSettings(options, role))
      if (refusal) throw refusal
    } catch (error) {
      throw explainStart(error)
    } finally {
      await Promise.all(clients.map((client) => client.end()))
    }
  }
}

/** Why two sessions that are open at once cannot be relied on, if so. */
export function findRefusal(
  [first, second]: readonly SessionFacts[],
  settings: Readonly<Record<string, string>>,
): Error | undefined {
  if (!first || !second) return errors['pooler-unsupported']('the session has no role')
  if (first.version < 150_000) return errors['server-too-old'](`the server is PostgreSQL ${first.version_text}`)
  if (first.pid === second.pid) {
    return errors['pooler-unsupported']('two connections share one server session: a pooler in transaction mode')
  }
  if (
    first.role !== settings.role ||
    first.plan_cache_mode !== settings.plan_cache_mode ||
    first.idle_limit !== settings.idle_in_transaction_session_timeout
  ) {
    return errors['pooler-unsupported'](`session settings did not arrive: the session runs as ${first.role}`)
  }
  return first.bypasses
    ? errors['role-bypasses-policies'](`the role ${first.role} bypasses row-level security`)
    : undefined
}

/** PgBouncer refuses start-up options it does not know, by name. */
function explainStart(error: unknown): Error {
  if (error instanceof Error && /unsupported startup parameter/i.test(error.message)) {
    return errors['pooler-unsupported'](`a pooler refused the session settings: ${error.message}`, { cause: error })
  }
  return translateError(error)
}
