import { hostname } from 'node:os'
import { type IdSource, systemIds } from '../../../foundation/kernel/ids.ts'
import type { Database } from '../../../foundation/platform/database/database.ts'
import type { Mount } from '../../../foundation/platform/http/mount.ts'
import type { Route } from '../../../foundation/platform/http/route.ts'
import { createAddressGuard } from '../../../foundation/platform/network/address-guard.ts'
import type { EventReader } from '../../../foundation/runtime/event-reader.ts'
import type { Limiter } from '../front-door/limiter.ts'
import { gatewayErrors } from './gateway-errors.ts'
import { createGatewayMount } from './gateway-mount.ts'
import { gatewayRoutes } from './gateway-routes.ts'
import { LiveRoutes } from './live-routes.ts'
import { RoutesService } from './routes-service.ts'

export interface GatewayOptions {
  readonly database: Database
  /** Tells what other replicas have changed. */
  readonly reader: Pick<EventReader, 'head' | 'open'>
  /** Counts for all replicas together. */
  readonly limiter: Limiter
  /** Networks that upstreams may lie in although they are not public; there they may do without TLS. */
  readonly allow: readonly string[]
  /** Names of the configured secrets that headers of routes may hold. */
  readonly secretNames: readonly string[]
  readonly readSecret: (name: string) => Promise<string>
  /** False for a process that only looks: it does not ask upstreams how they are. */
  readonly work: boolean
  readonly ids?: IdSource
  /** Numbers in [0, 1). Default: `Math.random`. */
  readonly random?: () => number
  /** Called after commits that appended events. */
  readonly onCommit?: () => void
  readonly onError: (error: unknown) => void
}

export interface Gateway {
  /** Manage the routes. */
  readonly routes: readonly Route[]
  /** Answers what comes by them. */
  readonly mount: Mount
  [Symbol.asyncDispose](): Promise<void>
}

/** Managed routes to upstream agents and services. */
export async function createGateway(options: GatewayOptions): Promise<Gateway> {
  const { database, reader, limiter, secretNames, readSecret, work, onError } = options
  const { ids = systemIds, random = Math.random, onCommit = () => {} } = options
  const guard = createAddressGuard(options.allow, {
    url: gatewayErrors['gateway-url-refused'],
    address: gatewayErrors['gateway-address-refused'],
  })
  const live = await LiveRoutes.start({ database, reader, guard, readSecret, checks: work, onError })
  const onChange = live.changed.bind(live)
  const service = new RoutesService({ database, ids, guard, secretNames, onChange, onCommit })
  return {
    routes: gatewayRoutes({ service, live, replica: `${hostname()}:${process.pid}` }),
    mount: createGatewayMount({ live, limiter, guard, random }),
    [Symbol.asyncDispose]: () => live[Symbol.asyncDispose](),
  }
}
