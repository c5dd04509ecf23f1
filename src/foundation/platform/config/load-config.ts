import { availableParallelism } from 'node:os'
import { dirname, resolve } from 'node:path'
import { type Config, type ConfigFlags, shapeConfig } from './config.ts'
import { readConfigFile } from './config-file.ts'
import { type Env, readEnv } from './env.ts'
import { findProject, type Project } from './project.ts'
import { createSecrets, type Secrets } from './secrets.ts'

export interface LoadOptions {
  readonly cwd?: string
  readonly env?: Env
  readonly flags?: ConfigFlags
  /** A file named by the user (`--config`); its folder is then the project. */
  readonly configFile?: string | undefined
  readonly cores?: number
}

export interface LoadedConfig {
  readonly config: Config
  readonly secrets: Secrets
  readonly env: Env
}

/** Reads environment and file, shapes the configuration, and puts the secrets aside. Errors: `config-invalid`, `config-unreadable`. */
export async function loadConfig(options: LoadOptions = {}): Promise<LoadedConfig> {
  const { cwd = process.cwd(), env = readEnv(), flags = {}, cores = availableParallelism() } = options
  const named = options.configFile ?? env.settings.config
  const project = named === undefined ? await findProject(cwd) : projectOf(resolve(cwd, named))
  const file = project.configFile === null ? null : await readConfigFile(project.configFile, named !== undefined)
  const config = shapeConfig({ env, file, project, cwd, flags, cores })
  return { config, secrets: createSecrets(file?.values.secrets ?? {}, env, project.root), env }
}

function projectOf(configFile: string): Project {
  return { root: dirname(configFile), configFile }
}
