import type { Limiter } from '../external-api/gateway/front-door/index.ts'
import { createGateway, type Gateway } from '../external-api/gateway/managed/index.ts'
import type { LoadedConfig } from '../foundation/platform/config/load-config.ts'
import type { Database } from '../foundation/platform/database/database.ts'
import type { EventReader } from '../foundation/runtime/event-reader.ts'

export interface OpenGatewayOptions {
  readonly loaded: LoadedConfig
  readonly database: Database
  readonly reader: EventReader
  readonly limiter: Limiter
  /** False for a call that only looks: it asks no upstream how it is. */
  readonly work: boolean
  readonly onCommit: () => void
  readonly onError: (error: unknown) => void
}

/** Ties managed routes to the networks and secrets of the configuration. */
export function openGateway({ loaded, ...rest }: OpenGatewayOptions): Promise<Gateway> {
  const { config, secrets } = loaded
  return createGateway({
    ...rest,
    allow: config.gateway.allow,
    secretNames: config.gateway.secrets.filter((name) => secrets.names.includes(name)),
    readSecret: async (name) => (await secrets.read(name)).reveal(),
  })
}
