import type { TenantId } from '../../../foundation/kernel/ids.ts'
import type { Database } from '../../../foundation/platform/database/database.ts'
import type { AddressGuard } from '../../../foundation/platform/network/address-guard.ts'
import type { LoggedEvent, LogPosition } from '../../../foundation/runtime/event-log.ts'
import type { EventReader } from '../../../foundation/runtime/event-reader.ts'
import { createLoop, type Loop } from '../../../foundation/runtime/loop.ts'
import { fillSecrets, secretsIn } from './check-definition.ts'
import type { GatewayRoute } from './gateway-route.ts'
import { listGatewayTenants, readRouteRows, readStopped } from './gateway-store.ts'
import { LiveRoute } from './live-route.ts'
import { RouteTable } from './matching/match-route.ts'
import { gatewaySubject, routeSubject } from './routes-service.ts'
import type { Undici } from './upstreams/upstream.ts'

export interface LiveRoutesOptions {
  readonly database: Database
  readonly reader: Pick<EventReader, 'head' | 'open'>
  readonly guard: AddressGuard
  readonly readSecret: (name: string) => Promise<string>
  /** Asks upstreams how they are. */
  readonly checks: boolean
  readonly onError: (error: unknown) => void
}

/** The routes of one tenant in this process. */
export interface TenantRoutes {
  readonly stopped: boolean
  readonly routes: ReadonlyMap<string, LiveRoute>
  readonly table: RouteTable<LiveRoute>
  /** The revision of each stored route, whether it could be brought to life or not. */
  readonly seen: ReadonlyMap<string, number>
}

/** How long it rests after the log could not be read, ms. */
const restMs = 1_000
/** Own changes whose events have not come by yet. */
const mostOwn = 1_000

/**
 * The routes of all tenants, in memory: a request asks no database. They follow the log, so that what another replica
 * changed is live here as soon as its event is read.
 */
export class LiveRoutes implements AsyncDisposable {
  readonly #options: LiveRoutesOptions
  readonly #tenants = new Map<TenantId, TenantRoutes>()
  readonly #reloads = new Map<TenantId, Promise<void>>()
  readonly #closing = new AbortController()
  readonly #loop: Loop
  readonly #own = new Set<string>()
  readonly #ending = new Set<Promise<void>>()
  #undici: Undici | null = null

  private constructor(options: LiveRoutesOptions, from: LogPosition) {
    this.#options = options
    let start: LogPosition | null = from
    this.#loop = createLoop({
      step: () => {
        const place = start
        start = null
        return this.#follow(place)
      },
      pollMs: restMs,
      onError: options.onError,
    })
  }

  /** Resolves when all routes that are there are live. */
  static async start(options: LiveRoutesOptions): Promise<LiveRoutes> {
    const from = options.reader.head
    const routes = new LiveRoutes(options, from)
    try {
      await routes.#loadAll()
      return routes
    } catch (error) {
      await routes[Symbol.asyncDispose]()
      throw error
    }
  }

  of(tenant: TenantId): TenantRoutes | undefined {
    return this.#tenants.get(tenant)
  }

  /** After a change of this process; its event will tell nothing new. */
  async changed(tenant: TenantId, change: string | null): Promise<void> {
    if (change !== null) {
      if (this.#own.size >= mostOwn) this.#own.clear()
      this.#own.add(change)
    }
    await this.reload(tenant)
  }

  /** Looks at the rows of a tenant again. Resolves when what is stored now is live. */
  reload(tenant: TenantId): Promise<void> {
    const before = this.#reloads.get(tenant) ?? Promise.resolve()
    // One after the other, so that an older look never replaces a newer one.
    const next = before.catch(() => {}).then(() => this.#load(tenant))
    this.#reloads.set(tenant, next)
    const forget = () => {
      if (this.#reloads.get(tenant) === next) this.#reloads.delete(tenant)
    }
    next.then(forget, forget)
    return next
  }

  async #loadAll(): Promise<void> {
    const tenants = await this.#options.database.asSystem('gateway-routes').read(listGatewayTenants)
    await Promise.all([...new Set([...tenants, ...this.#tenants.keys()])].map((tenant) => this.reload(tenant)))
  }

  /** From a place in the log; null: from its end, after all was looked at again, because something was missed. */
  async #follow(place: LogPosition | null): Promise<void> {
    const { reader } = this.#options
    const from = place ?? reader.head
    if (place === null) await this.#loadAll()
    const matches = ({ subject }: LoggedEvent) => subject.kind === routeSubject || subject.kind === gatewaySubject
    for await (const batch of await reader.open({ from, matches }, this.#closing.signal)) {
      const changed = new Set(batch.filter((event) => !this.#isKnown(event)).map(({ tenant }) => tenant))
      await Promise.all([...changed].map((tenant) => this.reload(tenant)))
    }
  }

  /** Whether what an event tells is live already: this process did it itself. */
  #isKnown({ tenant, type, subject, data }: LoggedEvent): boolean {
    const known = this.#tenants.get(tenant)
    if (known === undefined) return false
    if (subject.kind === gatewaySubject) return this.#own.delete(String((data as { change?: unknown }).change))
    const route = known.seen.get(subject.id)
    return type === 'gateway-route.removed' ? route === undefined : route !== undefined && route >= subject.rev
  }

  async #load(tenant: TenantId): Promise<void> {
    const { database } = this.#options
    const { rows, stopped } = await database.forTenant(tenant).read(async (tx) => ({
      rows: await readRouteRows(tx, tenant),
      stopped: await readStopped(tx, tenant),
    }))
    const former = this.#tenants.get(tenant)
    const routes = new Map<string, LiveRoute>()
    for (const { id, error } of rows.broken)
      this.#options.onError(new Error(`the managed route ${id} is unreadable`, { cause: error }))
    for (const row of rows.routes) {
      const before = former?.routes.get(row.id) ?? null
      const live = before?.rev === row.rev ? before : await this.#bring(row, before)
      if (live !== null) routes.set(row.id, live)
    }
    if (this.#closing.signal.aborted) return
    this.#tenants.set(tenant, {
      ...{ stopped, routes, table: new RouteTable([...routes.values()]) },
      seen: new Map(rows.routes.map(({ id, rev }) => [id, rev])),
    })
    for (const [id, route] of former?.routes ?? []) {
      const successor = routes.get(id) ?? null
      if (successor !== route) this.#end(route.close(successor))
    }
  }

  /** Null, and told, where a route cannot work any more: its secret is gone, or its address is no longer allowed. */
  async #bring(route: GatewayRoute, former: LiveRoute | null): Promise<LiveRoute | null> {
    const { guard, readSecret, checks, database, onError } = this.#options
    try {
      // Loaded with the first route: most processes have none.
      this.#undici ??= await import('undici')
      const names = secretsIn(route.definition)
      const secrets = new Map(await Promise.all(names.map(async (name) => [name, await readSecret(name)] as const)))
      const filled = (values: Readonly<Record<string, string>>) =>
        Object.fromEntries(Object.entries(values).map(([name, value]) => [name, fillSecrets(value, secrets)]))
      const { set, add, remove } = route.definition.requestHeaders
      const requestHeaders = { set: filled(set), add: filled(add), remove }
      return new LiveRoute({
        ...{ route, guard, undici: this.#undici, requestHeaders, checks, former },
        now: database.clock.now(),
      })
    } catch (error) {
      onError(error)
      return null
    }
  }

  #end(closing: Promise<void>): void {
    const settled = closing.catch(this.#options.onError).finally(() => this.#ending.delete(settled))
    this.#ending.add(settled)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort()
    await this.#loop.stop()
    await Promise.allSettled(this.#reloads.values())
    const live = [...this.#tenants.values()].flatMap(({ routes }) => [...routes.values()])
    // The server has let its answers finish by now.
    for (const route of live) this.#end(route.close(null, 0))
    await Promise.allSettled(this.#ending)
  }
}
