import type { ClientBase, ClientConfig } from 'pg'
import { decodeTypes } from '../decode-values.ts'
import { byIndex } from '../plan-settings.ts'
import { roles } from '../roles.ts'
import type { Role } from '../session.ts'

export interface PostgresOptions {
  readonly kind: 'postgres'
  /** The URL of the server for both pools; the user must be a member of both roles. */
  readonly url: string
  /** A URL of its own for the system pool. Default: `url`. */
  readonly systemUrl?: string | undefined
  /** A URL whose user owns the tables, for migrations. Default: `url`. */
  readonly ownerUrl?: string | undefined
  /** Connections of the application pool. Default 10. */
  readonly poolSize?: number | undefined
  /** Connections of the system pool. Default 5. */
  readonly systemPoolSize?: number | undefined
  /** Default 1000: a transaction that does nothing for so long is ended by the server. */
  readonly idleInTransactionMs?: number | undefined
  /** Default 5000. */
  readonly lockTimeoutMs?: number | undefined
  /** Default 30 000. */
  readonly statementTimeoutMs?: number | undefined
  /** How long to wait for the answer to a statement before the connection counts as broken. Default: 5 s more than the statement may take. */
  readonly answerTimeoutMs?: number | undefined
  /** How long to wait for a connection, new or from the pool. Default 10 000. */
  readonly connectTimeoutMs?: number | undefined
  /** Shown in pg_stat_activity. Default `leanvibe`. */
  readonly applicationName?: string | undefined
}

/**
 * How a session gets its settings: in the start-up message, or, behind a pooler that does not pass that on, in
 * statements. Found out by `checkServer`.
 */
export type SettingsMode = 'startup' | 'statements'

/** What every session of a role is set to. */
export function sessionSettings(options: PostgresOptions, role: Role): Readonly<Record<string, string>> {
  return {
    role: roles[role],
    plan_cache_mode: role === 'system' ? 'force_generic_plan' : 'auto',
    jit: 'off',
    ...(role === 'system' ? byIndex : {}),
    idle_in_transaction_session_timeout: String(options.idleInTransactionMs ?? 1_000),
    lock_timeout: String(options.lockTimeoutMs ?? 5_000),
    statement_timeout: String(options.statementTimeoutMs ?? 30_000),
    tcp_keepalives_idle: '5',
    tcp_keepalives_interval: '5',
    tcp_keepalives_count: '3',
    timezone: 'UTC',
    datestyle: 'ISO',
    intervalstyle: 'postgres',
    bytea_output: 'hex',
    extra_float_digits: '1',
  }
}

/** How one session of a role connects. */
export function clientConfig(options: PostgresOptions, role: Role, mode: SettingsMode): ClientConfig {
  const url = (role === 'system' ? options.systemUrl : undefined) ?? options.url
  const settings = sessionSettings(options, role)
  return {
    ...baseConfig(options, url, mode === 'startup' ? settings : {}),
    // A server that vanished without a word would otherwise be waited for as long as TCP tries, a quarter of an hour.
    query_timeout: options.answerTimeoutMs ?? Number(settings.statement_timeout) + 5_000,
  }
}

/** What a new session of a role has to be told; nothing where the start-up message did. */
export async function prepareClient(
  client: ClientBase,
  options: PostgresOptions,
  role: Role,
  mode: SettingsMode,
): Promise<void> {
  if (mode === 'startup') return
  const settings = Object.entries(sessionSettings(options, role))
  await client.query(settings.map(([name, value]) => `set ${name} = '${value}'`).join(';'))
}

/** How the owner of the tables connects, as whom the URL says, with no limits on a statement: migrations may be long. */
export function ownerConfig(options: PostgresOptions): ClientConfig {
  return baseConfig(options, options.ownerUrl ?? options.url, {})
}

function baseConfig(options: PostgresOptions, url: string, settings: Readonly<Record<string, string>>): ClientConfig {
  const { connectionString, ownOptions } = splitUrl(url)
  const ours = Object.entries(settings).map(([name, value]) => `-c ${name}=${value}`)
  return {
    connectionString,
    ...(ownOptions.length + ours.length > 0 ? { options: [...ownOptions, ...ours].join(' ') } : {}),
    application_name: options.applicationName ?? 'leanvibe',
    connectionTimeoutMillis: options.connectTimeoutMs ?? 10_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 5_000,
    types: decodeTypes as NonNullable<ClientConfig['types']>,
    pipeline: true,
  } as ClientConfig
}

/** The driver lets `options` in a URL replace ours, so they are taken out and put before ours. */
function splitUrl(url: string): { connectionString: string; ownOptions: readonly string[] } {
  if (!URL.canParse(url)) return { connectionString: url, ownOptions: [] }
  const parsed = new URL(url)
  const ownOptions = parsed.searchParams.getAll('options')
  parsed.searchParams.delete('options')
  return { connectionString: ownOptions.length > 0 ? parsed.href : url, ownOptions }
}
