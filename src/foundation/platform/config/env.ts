/** The environment as text, read once. No value has been checked yet. Only this file touches `process.env`. */
export interface Env {
  /** Settings from `LEANVIBE_*`, by the name they have in `envSettings`; unset and empty ones are left out. */
  readonly settings: Readonly<Partial<Record<EnvSetting, string>>>
  /** `LEANVIBE_*` variables that mean nothing to us: most likely misspelled. */
  readonly unknown: readonly string[]
  readonly databaseUrl: string | null
  /** A NATS server that carries the event stream between replicas. */
  readonly natsUrl: string | null
  /** True inside work that LeanVibe itself started. */
  readonly insideAttempt: boolean
  readonly path: string
  readonly homeFolder: string | null
  readonly ci: boolean
  /** NO_COLOR is set and not empty, or the terminal is dumb. */
  readonly noColor: boolean
  readonly forceColor: boolean
  /** A variable by its name, for what the configuration refers to (secrets, what pools pass on). */
  variable(name: string): string | undefined
}

export const envSettings = {
  config: 'LEANVIBE_CONFIG',
  data: 'LEANVIBE_DATA',
  home: 'LEANVIBE_HOME',
  agents: 'LEANVIBE_AGENTS',
  parallel: 'LEANVIBE_PARALLEL',
  host: 'LEANVIBE_HOST',
  port: 'LEANVIBE_PORT',
  plaintext: 'LEANVIBE_PLAINTEXT',
  tlsCert: 'LEANVIBE_TLS_CERT',
  tlsKey: 'LEANVIBE_TLS_KEY',
  healthPort: 'LEANVIBE_HEALTH_PORT',
  logLevel: 'LEANVIBE_LOG_LEVEL',
  checkpointEvery: 'LEANVIBE_CHECKPOINT_EVERY',
  blobs: 'LEANVIBE_BLOBS',
  poolSize: 'LEANVIBE_DATABASE_POOL_SIZE',
  systemUrl: 'LEANVIBE_DATABASE_SYSTEM_URL',
  ownerUrl: 'LEANVIBE_DATABASE_OWNER_URL',
  failpoints: 'LEANVIBE_FAILPOINTS',
  url: 'LEANVIBE_URL',
  key: 'LEANVIBE_KEY',
} as const
export type EnvSetting = keyof typeof envSettings

/** Set by LeanVibe for the work it starts; never a setting. */
const ours: ReadonlySet<string> = new Set(['LEANVIBE_ATTEMPT'])

export function readEnv(source: Readonly<Record<string, string | undefined>> = process.env): Env {
  const variables: Readonly<Record<string, string | undefined>> = Object.freeze({ ...source })
  const settings: Partial<Record<EnvSetting, string>> = {}
  for (const [setting, name] of Object.entries(envSettings)) {
    const value = textOf(variables[name])
    if (value !== null) settings[setting as EnvSetting] = value
  }
  const known = new Set<string>([...Object.values(envSettings), ...ours])
  const insideAttempt = textOf(variables.LEANVIBE_ATTEMPT) !== null
  return Object.freeze({
    settings: Object.freeze(settings),
    // Work gets values of its workflow in LEANVIBE_ variables; a nested call must not stumble over them.
    unknown: insideAttempt
      ? []
      : Object.keys(variables).filter((name) => name.startsWith('LEANVIBE_') && !known.has(name)),
    databaseUrl: textOf(variables.DATABASE_URL),
    natsUrl: textOf(variables.NATS_URL),
    insideAttempt,
    path: variables.PATH ?? '',
    homeFolder: textOf(variables.HOME) ?? textOf(variables.USERPROFILE),
    ci: textOf(variables.CI) !== null && variables.CI !== 'false',
    noColor: textOf(variables.NO_COLOR) !== null || variables.TERM === 'dumb',
    forceColor: textOf(variables.FORCE_COLOR) !== null && variables.FORCE_COLOR !== '0',
    variable: (name: string) => variables[name],
  })
}

function textOf(value: string | undefined): string | null {
  return value === undefined || value.trim() === '' ? null : value.trim()
}
