import { resolve } from 'node:path'
import type { ModelPrice } from '../../kernel/model-price.ts'
import type { z } from '../../kernel/schema.ts'
import type { BlobLocation } from '../blobs/index.ts'
import { type A2aConfig, shapeA2aConfig } from './a2a-settings.ts'
import { type Chooser, createChooser, numeric } from './choose.ts'
import { configErrors } from './config-errors.ts'
import type { ReadConfigFile } from './config-file.ts'
import * as schemas from './config-schema.ts'
import { type Env, type EnvSetting, envSettings } from './env.ts'
import type { GatewayConfig } from './gateway-schema.ts'
import { type ModelsConfig, shapeModels } from './models.ts'
import { type PoolConfig, type ResourceConfig, shapePools, shapeResources } from './pools.ts'
import { folderUnder, type Project } from './project.ts'
import { type ServerConfig, type ServerFlags, shapeServer } from './server-config.ts'

/** Everything that is decided before the program starts. Frozen, without secrets, safe to print. */
export interface Config {
  readonly project: Project
  /** Absolute. Holds the embedded database, blobs, worktrees, logs, server.json and the token. */
  readonly dataFolder: string
  /** What others may use of ours, and where remote agents may lie. */
  readonly a2a: A2aConfig
  /** Absolute; YAML files in it can be started by name. */
  readonly workflowFolder: string
  /** Absolute; the Markdown files in it are personas, before those that come with the program. */
  readonly personaFolder: string
  readonly database:
    | { readonly kind: 'pglite' }
    | {
        readonly kind: 'postgres'
        readonly poolSize: number
        /** False: others bring the schema up to date. */
        readonly migrate: boolean
      }
  readonly server: ServerConfig
  /** Limits of requests by their name, where they differ from the usual ones; null: none. */
  readonly rateLimits: Readonly<Record<string, { readonly requests: number; readonly windowMs: number } | null>>
  readonly log: { readonly level: z.output<typeof schemas.logLevelSchema> }
  readonly pools: readonly PoolConfig[]
  /** What all agents of this machine hand out together; null: no bounds but those of each. */
  readonly resources: ResourceConfig | null
  /** Most tasks of one run at a time, where the run does not say; null: as many as agents allow. */
  readonly parallel: number | null
  /** How often a checkpoint of each open run is made; null: never. */
  readonly checkpointEveryMs: number | null
  readonly limits: {
    /** Bytes of output kept per attempt. */
    readonly logBytes: number
    /** Outputs up to this size are passed by value, longer ones as artifacts. */
    readonly outputBytes: number
    readonly artifactBytes: number
  }
  /** Where artifacts are kept; null: a folder beside the embedded database, else the database. */
  readonly blobs: BlobLocation | null
  readonly events: {
    /** How long the event log goes back. */
    readonly keepMs: number
    /** How long a stream may be away and still resume. */
    readonly resumeMs: number
  }
  readonly webhooks: {
    /** Networks that receivers may lie in although they are not public. */
    readonly allow: readonly string[]
    /** How long received and delivered webhooks are kept. */
    readonly keepMs: number
  }
  readonly gateway: GatewayConfig
  readonly merges: {
    /** How many merges of a queue are tested together at most where they say nothing themselves. */
    readonly batch: number
  }
  /** Program and arguments told when any run ends; null: nobody. */
  readonly onRunEnd: readonly string[] | null
  /** Prices of models besides and before those that come with the package. */
  readonly prices: readonly ModelPrice[]
  /** Weights of tenants where they share something; those that are not named have 1. */
  readonly shares: Readonly<Record<string, number>>
  readonly models: ModelsConfig
  /** Names of the variables passed on to all work. */
  readonly env: readonly string[]
  /** Armed failpoints, for tests. */
  readonly failpoints: string | null
  /** Things that are allowed but look like mistakes. */
  readonly warnings: readonly string[]
}

/** What the command line says; it wins over the environment, which wins over the file. */
export interface ConfigFlags extends ServerFlags {
  readonly data?: string | undefined
  readonly agents?: number | undefined
  readonly parallel?: number | undefined
}

export interface ConfigSources {
  readonly env: Env
  readonly file: ReadConfigFile | null
  readonly project: Project
  /** Relative paths of flags and environment start here; those of the file at the project's root. */
  readonly cwd: string
  readonly flags: ConfigFlags
  /** Cores of the host; the number of local agents follows them. */
  readonly cores: number
}

/** Always passed on: what programs need to find things and to speak the user's language. None of it is secret. */
const generalVariables = [
  ...['PATH', 'HOME', 'USER', 'LOGNAME', 'SHELL', 'TMPDIR', 'TZ', 'LANG', 'LANGUAGE', 'LC_ALL', 'LC_CTYPE'],
  ...['XDG_CONFIG_HOME', 'XDG_CACHE_HOME', 'XDG_DATA_HOME', 'SSL_CERT_FILE', 'SSL_CERT_DIR', 'NODE_EXTRA_CA_CERTS'],
]
const mb = 1_048_576
const day = 86_400_000

/** Shapes the sources into a Config, or refuses with all findings and their places. Pure. */
export function shapeConfig(sources: ConfigSources): Config {
  const { env, file, project, flags, cores } = sources
  const values: schemas.ConfigFile = file?.values ?? {}
  const chooser = createChooser()
  const { choose, refuse } = chooser
  const complain = (place: readonly string[], text: string) =>
    refuse(`${file?.locate(place) ?? ''}: ${place.join('.')}: ${text}`)
  const fromEnv = (name: EnvSetting) => ({ from: envSettings[name], value: numeric(env.settings[name]) })

  const agents = choose(
    schemas.agentsSchema,
    [{ from: '--agents', value: flags.agents }, fromEnv('agents')],
    values.agents ?? Math.max(2, Math.min(8, cores)),
  )
  const parallel = choose(
    schemas.parallelSchema,
    [{ from: '--parallel', value: flags.parallel }, fromEnv('parallel')],
    values.parallel ?? null,
  )
  const outputBytes = values.limits?.output ?? 65_536
  if (outputBytes > mb) complain(['limits', 'output'], 'values over 1MB must travel as artifacts')

  const config: Config = {
    project,
    dataFolder: chooseDataFolder(sources, chooser),
    a2a: shapeA2aConfig(values.a2a),
    workflowFolder: resolve(project.root, values.workflows ?? 'workflows'),
    personaFolder: resolve(project.root, values.personas ?? 'personas'),
    database: chooseDatabase(sources, chooser),
    server: shapeServer(sources, chooser),
    rateLimits: values.rateLimits ?? {},
    log: { level: choose(schemas.logLevelSchema, [fromEnv('logLevel')], values.log?.level ?? 'info') },
    pools: shapePools(values.pools, agents, complain, values.models?.tiers),
    resources: shapeResources(values.resources),
    parallel,
    checkpointEveryMs: choose(
      schemas.checkpointEverySchema,
      [fromEnv('checkpointEvery')],
      values.checkpoints?.every ?? null,
    ),
    limits: {
      logBytes: values.limits?.log ?? 10 * mb,
      outputBytes,
      artifactBytes: values.limits?.artifact ?? 1_024 * mb,
    },
    blobs: choose(schemas.blobsSchema, [{ from: envSettings.blobs, value: env.settings.blobs }], values.blobs ?? null),
    events: { keepMs: values.events?.keep ?? 30 * day, resumeMs: values.events?.resume ?? day },
    webhooks: { allow: values.webhooks?.allow ?? [], keepMs: values.webhooks?.keep ?? 30 * day },
    gateway: { allow: values.gateway?.allow ?? [], secrets: values.gateway?.secrets ?? [] },
    merges: { batch: values.merges?.batch ?? 1 },
    onRunEnd: values.onRunEnd ?? null,
    prices: values.prices ?? [],
    shares: values.shares ?? {},
    models: shapeModels(values.models, Object.keys(values.secrets ?? {}), complain),
    env: [...new Set([...generalVariables, ...(values.env ?? [])])],
    failpoints: env.settings.failpoints ?? null,
    warnings: env.unknown.map((name) => `${name} is not a setting of LeanVibe and has no effect`),
  }
  if (chooser.findings.length > 0) {
    throw configErrors['config-invalid'](chooser.findings.join('\n'), { details: { findings: chooser.findings } })
  }
  return deepFreeze(config)
}

function chooseDataFolder({ env, file, project, cwd, flags }: ConfigSources, { refuse }: Chooser): string {
  const { data, home } = env.settings
  if (flags.data !== undefined) return resolve(cwd, flags.data)
  if (data !== undefined && home !== undefined) {
    refuse(
      `${envSettings.data} and ${envSettings.home} contradict each other: the one names the data folder, the other the folder above it`,
    )
  }
  if (data !== undefined) return resolve(cwd, data)
  if (home !== undefined) return folderUnder(resolve(cwd, home), project.root)
  return resolve(project.root, file?.values.data ?? '.leanvibe')
}

function chooseDatabase({ env, file }: ConfigSources, { choose, refuse }: Chooser): Config['database'] {
  const kind = file?.values.database?.kind
  const inFile = file?.values.database
  if (env.databaseUrl === null) {
    if (kind === 'postgres')
      refuse(`${file!.locate(['database', 'kind'])}: database.kind: postgres needs DATABASE_URL in the environment`)
    for (const name of ['poolSize', 'migrate'] as const) {
      if (inFile?.[name] === undefined || kind === 'postgres') continue
      refuse(
        `${file!.locate(['database', name])}: database.${name} means nothing to the embedded database: set DATABASE_URL or remove it`,
      )
    }
    for (const name of ['poolSize', 'systemUrl', 'ownerUrl'] as const) {
      if (env.settings[name] !== undefined) refuse(`${envSettings[name]} is set, but DATABASE_URL is not`)
    }
    return { kind: 'pglite' }
  }
  if (kind === 'pglite') {
    refuse(
      `DATABASE_URL is set, but ${file!.locate(['database', 'kind'])} says database.kind: pglite: remove one of them`,
    )
  }
  // The value itself is a secret and stays out of the message.
  if (!/^postgres(ql)?:\/\//.test(env.databaseUrl))
    refuse('DATABASE_URL does not begin with postgres:// or postgresql://')
  const offers = [{ from: envSettings.poolSize, value: numeric(env.settings.poolSize) }]
  const poolSize = choose(schemas.poolSizeSchema, offers, inFile?.poolSize ?? 10)
  return { kind: 'postgres', poolSize, migrate: inFile?.migrate ?? true }
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value
  for (const inner of Object.values(value)) deepFreeze(inner)
  return Object.freeze(value)
}
