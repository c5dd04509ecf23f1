import type { IdSource, TenantId } from '../../../foundation/kernel/ids.ts'
import type { Database, ReadTx, Tx } from '../../../foundation/platform/database/database.ts'
import { checkRevision, type ExpectedRevision } from '../../../foundation/platform/http/preconditions.ts'
import type { AddressGuard } from '../../../foundation/platform/network/address-guard.ts'
import { appendEvents } from '../../../foundation/runtime/event-log.ts'
import { checkDefinition } from './check-definition.ts'
import { gatewayErrors } from './gateway-errors.ts'
import type { GatewayRoute } from './gateway-route.ts'
import {
  countRoutes,
  deleteRoute,
  findRoute,
  insertRoute,
  listRouteRows,
  readStopped,
  saveStopped,
  updateRoute,
} from './gateway-store.ts'
import type { WriteGatewayRoute } from './route-definition-contract.ts'

export interface RoutesServiceOptions {
  readonly database: Database
  readonly ids: IdSource
  readonly guard: AddressGuard
  /** Names of the secrets that routes may use. */
  readonly secretNames: readonly string[]
  /** Awaited after each change, so that it is live here when it is answered; other replicas read the log. */
  readonly onChange: (tenant: TenantId, change: string | null) => Promise<void>
  /** Called after commits that appended events. */
  readonly onCommit: () => void
}

/** What the events of the gateway are about. */
export const routeSubject = 'gateway-route'
export const gatewaySubject = 'gateway'

const most = 1_000

/** Makes, changes and removes the managed routes of tenants. */
export class RoutesService {
  readonly #options: RoutesServiceOptions

  constructor(options: RoutesServiceOptions) {
    this.#options = options
  }

  list(tenant: TenantId): Promise<GatewayRoute[]> {
    return this.#options.database.forTenant(tenant).read((tx) => listRouteRows(tx, tenant))
  }

  show(tenant: TenantId, which: string): Promise<GatewayRoute> {
    return this.#options.database.forTenant(tenant).read((tx) => this.#find(tx, tenant, which))
  }

  /** Errors: `gateway-name-taken`, `gateway-too-many-routes`, and those of `checkDefinition`. */
  create(tenant: TenantId, definition: WriteGatewayRoute): Promise<GatewayRoute> {
    checkDefinition(definition, this.#options)
    return this.#change(tenant, async (tx, now) => {
      if ((await countRoutes(tx, tenant)) >= most)
        throw gatewayErrors['gateway-too-many-routes'](`the tenant has ${most} routes`)
      const id = this.#options.ids.next<string>('gwr')
      const route: GatewayRoute = { tenant, id, definition, rev: 1, createdAt: now, updatedAt: now }
      if (!(await insertRoute(tx, route))) throw taken(definition.name)
      await this.#tell(tx, route, 'created', now)
      return route
    })
  }

  /** Errors: as `create`, `gateway-route-not-found`, `precondition-failed`, `gateway-changed`. */
  change(
    tenant: TenantId,
    which: string,
    definition: WriteGatewayRoute,
    expected: ExpectedRevision,
  ): Promise<GatewayRoute> {
    checkDefinition(definition, this.#options)
    return this.#change(tenant, async (tx, now) => {
      const present = await this.#find(tx, tenant, which)
      checkRevision(expected, present.rev)
      const other = await findRoute(tx, tenant, definition.name)
      if (other !== null && other.id !== present.id) throw taken(definition.name)
      const route = { ...present, definition, rev: present.rev + 1, updatedAt: now }
      if (!(await updateRoute(tx, route))) throw stale(present)
      await this.#tell(tx, route, 'changed', now)
      return route
    })
  }

  /** Errors: `gateway-route-not-found`, `precondition-failed`, `gateway-changed`. */
  async remove(tenant: TenantId, which: string, expected: ExpectedRevision): Promise<void> {
    await this.#change(tenant, async (tx, now) => {
      const route = await this.#find(tx, tenant, which)
      checkRevision(expected, route.rev)
      if (!(await deleteRoute(tx, route))) throw stale(route)
      await this.#tell(tx, { ...route, rev: route.rev + 1 }, 'removed', now)
    })
  }

  isStopped(tenant: TenantId): Promise<boolean> {
    return this.#options.database.forTenant(tenant).read((tx) => readStopped(tx, tenant))
  }

  async setStopped(tenant: TenantId, stopped: boolean): Promise<void> {
    const change = this.#options.ids.next<string>('gwc')
    const act = async (tx: Tx, now: Date) => {
      await saveStopped(tx, tenant, stopped ? now : null, now)
      const subject = { kind: gatewaySubject, id: 'gateway', rev: 0 }
      const type = `gateway.${stopped ? 'stopped' : 'started'}`
      await appendEvents(tx, [{ tenant, type, subject, runId: null, at: now, data: { change } }])
    }
    await this.#change(tenant, act, change)
  }

  /** `change` tells an event of this process from those of others, where its subject does not. */
  async #change<T>(tenant: TenantId, fn: (tx: Tx, now: Date) => Promise<T>, change: string | null = null): Promise<T> {
    const { database, onChange, onCommit } = this.#options
    const result = await database.forTenant(tenant).write((tx) => fn(tx, database.clock.now()))
    onCommit()
    await onChange(tenant, change)
    return result
  }

  #tell(tx: Tx, { tenant, id, rev, definition }: GatewayRoute, what: string, now: Date): Promise<void> {
    const subject = { kind: routeSubject, id, rev }
    const { name, enabled, match } = definition
    const data = { name, enabled, path: match.path }
    return appendEvents(tx, [{ tenant, type: `${routeSubject}.${what}`, subject, runId: null, at: now, data }])
  }

  async #find(tx: ReadTx, tenant: TenantId, which: string): Promise<GatewayRoute> {
    const found = await findRoute(tx, tenant, which)
    if (found === null) throw gatewayErrors['gateway-route-not-found'](`there is no managed route ${which}`)
    return found
  }
}

function stale({ definition }: GatewayRoute): Error {
  return gatewayErrors['gateway-changed'](`the route ${definition.name} is being changed by somebody else`)
}

function taken(name: string): Error {
  return gatewayErrors['gateway-name-taken'](`there is a managed route ${name} already`)
}
