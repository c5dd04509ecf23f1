import pg from 'pg'
import { defineErrors, isAppError } from '../../../kernel/errors.ts'
import { translateError } from '../database-errors.ts'
import { roles } from '../roles.ts'
import type { Role } from '../session.ts'
import {
  clientConfig,
  type PostgresOptions,
  prepareClient,
  type SettingsMode,
  sessionSettings,
} from './postgres-options.ts'

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
  readonly plan_cache_mode: string
  readonly idle_limit: string
}

/** A member of the system role has its policy too, which shows the rows of every tenant. */
const factsQuery = `
  select current_setting('server_version_num')::int as version, current_setting('server_version') as version_text,
    current_user::text as role, rolsuper or rolbypassrls
      or current_user <> '${roles.system}' and pg_has_role(current_user, '${roles.system}', 'member') as bypasses,
    current_setting('plan_cache_mode') as plan_cache_mode,
    (extract(epoch from current_setting('idle_in_transaction_session_timeout')::interval) * 1000)::bigint::text as idle_limit
  from pg_roles where rolname = current_user`

/** Refuses a server on which isolation or the time limits would not hold. Returns how sessions get their settings there. */
export async function checkServer(options: PostgresOptions): Promise<SettingsMode> {
  const refusal = await inspect(options, 'startup')
  if (!refusal) return 'startup'
  // A pooler in session mode may know nothing of start-up options and still keep what it is told in statements.
  const second = isAppError(refusal, 'pooler-unsupported') ? await inspect(options, 'statements') : refusal
  if (second) throw second
  return 'statements'
}

/** Compares a session of each role, both open at once. */
async function inspect(options: PostgresOptions, mode: SettingsMode): Promise<Error | undefined> {
  const clients = bothRoles.map((role) => new pg.Client(clientConfig(options, role, mode)))
  try {
    for (const client of clients) client.on('error', () => undefined)
    for (const client of clients) await client.connect()
    // Asked before anything is set, so that nothing is left behind in a session that others share.
    const pids = []
    for (const client of clients) pids.push((await client.query('select pg_backend_pid() as pid')).rows[0].pid)
    if (pids[0] === pids[1]) {
      return errors['pooler-unsupported']('two connections share one server session: a pooler in transaction mode')
    }
    for (const [i, client] of clients.entries()) await prepareClient(client, options, bothRoles[i]!, mode)
    for (const [i, client] of clients.entries()) {
      const facts = (await client.query<SessionFacts>(factsQuery)).rows[0]
      const refusal = findRefusal(facts, sessionSettings(options, bothRoles[i]!))
      if (refusal) return refusal
    }
    return undefined
  } catch (error) {
    if (error instanceof Error && /unsupported startup parameter/i.test(error.message)) {
      return errors['pooler-unsupported'](`a pooler refused the session settings: ${error.message}`, { cause: error })
    }
    throw translateError(error)
  } finally {
    await Promise.all(clients.map((client) => client.end()))
  }
}

const bothRoles: readonly Role[] = ['app', 'system']

/** Why a session cannot be relied on, if so. */
export function findRefusal(
  facts: SessionFacts | undefined,
  settings: Readonly<Record<string, string>>,
): Error | undefined {
  if (!facts) return errors['pooler-unsupported']('the session has no role')
  if (facts.version < 150_000) return errors['server-too-old'](`the server is PostgreSQL ${facts.version_text}`)
  if (
    facts.role !== settings.role ||
    facts.plan_cache_mode !== settings.plan_cache_mode ||
    facts.idle_limit !== settings.idle_in_transaction_session_timeout
  ) {
    return errors['pooler-unsupported'](`session settings did not arrive: the session runs as ${facts.role}`)
  }
  return facts.bypasses
    ? errors['role-bypasses-policies'](`the role ${facts.role} bypasses row-level security`)
    : undefined
}
