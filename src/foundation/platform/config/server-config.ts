import { resolve } from 'node:path'
import type { z } from '../../kernel/schema.ts'
import { type Chooser, numeric } from './choose.ts'
import type { ConfigSources } from './config.ts'
import { type ConfigFile, portSchema } from './config-schema.ts'
import { type EnvSetting, envSettings } from './env.ts'
import type { serverShape } from './server-schema.ts'

/** How the server is reached, and by whom. */
export interface ServerConfig {
  readonly host: string
  readonly port: number
  /** A proxy before us does TLS. */
  readonly plaintext: boolean
  /** Absolute paths of PEM files. */
  readonly tls: { readonly cert: string; readonly key: string } | null
  /** A port of its own for /livez and /readyz, on the same host; null: none. */
  readonly healthPort: number | null
  readonly cors: readonly string[]
  readonly compression: NonNullable<z.output<typeof serverShape.compression>>
  readonly trustProxy: readonly string[]
}

export interface ServerFlags {
  readonly port?: number | undefined
  readonly host?: string | undefined
  readonly plaintext?: boolean | undefined
  readonly tlsCert?: string | undefined
  readonly tlsKey?: string | undefined
  readonly healthPort?: number | undefined
}

const loopback = ['127.0.0.1', '::1', 'localhost']

export function shapeServer(sources: ConfigSources, { choose, refuse }: Chooser): ServerConfig {
  const { env, file, flags, project, cwd } = sources
  const values: NonNullable<ConfigFile['server']> = file?.values.server ?? {}
  const fromEnv = (name: EnvSetting) => ({ from: envSettings[name], value: numeric(env.settings[name]) })
  const host = flags.host ?? env.settings.host ?? values.host ?? '127.0.0.1'
  const plaintext =
    flags.plaintext ?? (env.settings.plaintext === undefined ? values.plaintext : isYes(env.settings.plaintext))
  const cert = flags.tlsCert ?? env.settings.tlsCert
  const key = flags.tlsKey ?? env.settings.tlsKey
  if ((cert === undefined) !== (key === undefined))
    refuse('a TLS certificate and its key are given together or not at all')
  const ofFile = values.tls && {
    cert: resolve(project.root, values.tls.cert),
    key: resolve(project.root, values.tls.key),
  }
  const tls = cert !== undefined && key !== undefined ? { cert: resolve(cwd, cert), key: resolve(cwd, key) } : ofFile
  if (!loopback.includes(host) && tls === undefined && plaintext !== true) {
    refuse(
      `without TLS the server may only listen on this machine (${loopback.join(', ')}), not on ${host}; ` +
        'give server.tls, or --plaintext where a proxy before it does TLS',
    )
  }
  return {
    host,
    port: choose(portSchema, [{ from: '--port', value: flags.port }, fromEnv('port')], values.port ?? 0),
    plaintext: plaintext ?? false,
    tls: tls ?? null,
    healthPort: choose(
      portSchema,
      [{ from: '--health-port', value: flags.healthPort }, fromEnv('healthPort')],
      values.healthPort ?? null,
    ),
    cors: values.cors ?? [],
    compression: values.compression ?? 'auto',
    trustProxy: values.trustProxy ?? [],
  }
}

function isYes(text: string): boolean {
  return ['1', 'true', 'yes'].includes(text.toLowerCase())
}
