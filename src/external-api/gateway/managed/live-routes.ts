import type { TenantId } from '../../../foundation/kernel/ids.ts'
import type { Database } from '../../../foundation/platform/database/database.ts'
import type { AddressGuard } from '../../../foundation/platform/network/address-guard.ts'
import type { EventReader } from '../../../foundation/runtime/event-reader.ts'
import { createLoop, type Loop } from '../../../foundation/runtime/loop.ts'
import { fillSecrets, secretsIn } from './check-definition.ts'
import type { GatewayRoute } from './gateway-route.ts'
import { listGatewayTenants, listRouteRows, readStopped } from './gateway-store.ts'
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
}

/** How long it rests after the log could not be read, ms. */
const restMs = 1_000

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
  readonly #ending = new Set<Promise<void>>()
  #undici: Undici | null = null

  private constructor(options: LiveRoutesOptions) {
    this.#options = options
    const ready = Promise.withResolvers<void>()
    this.#loop = createLoop({ step: () => this.#follow(ready.resolve), pollMs: restMs, onError: options.onError })
    this.#ready = ready.promise
  }

  readonly #ready: Promise<void>

  /** Resolves when all routes that are there are live. */
  static async start(options: LiveRoutesOptions): Promise<LiveRoutes> {
    const routes = new LiveRoutes(options)
    await routes.#ready
    return routes
  }

  of(tenant: TenantId): TenantRoutes | undefined {
    return this.#tenants.get(tenant)
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

  /** Begins behind the log's present end, loads all, then follows. */
  async #follow(onReady: () => void): Promise<void> {
    const { reader, database } = this.#options
    const { signal } = this.#closing
    const from = reader.head
    const tenants = await database.asSystem('gateway-routes').read(listGatewayTenants)
    await Promise.all([...new Set([...tenants, ...this.#tenants.keys()])].map((tenant) => this.reload(tenant)))
    onReady()
    const matches = ({ subject }: { readonly subject: { readonly kind: string } }) =>
      subject.kind === routeSubject || subject.kind === gatewaySubject
    for await (const batch of await reader.open({ from, matches }, signal)) {
      const changed = new Set(batch.map(({ tenant }) => tenant))
      await Promise.all([...changed].map((tenant) => this.reload(tenant)))
    }
  }

  async #load(tenant: TenantId): Promise<void> {
    const { database } = this.#options
    const { rows, stopped } = await database.forTenant(tenant).read(async (tx) => ({
      rows: await listRouteRows(tx, tenant),
      stopped: await readStopped(tx, tenant),
    }))
    const former = this.#tenants.get(tenant)
    const routes = new Map<string, LiveRoute>()
    for (const row of rows) {
      const before = former?.routes.get(row.id) ?? null
      const live = before?.rev === row.rev ? before : await this.#bring(row, before)
      if (live !== null) routes.set(row.id, live)
    }
    if (this.#closing.signal.aborted) return
    this.#tenants.set(tenant, { stopped, routes, table: new RouteTable([...routes.values()]) })
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
    for (const route of live) {
      for (const { pool } of route.upstreams) void pool.destroy()
      this.#end(route.close(null))
    }
    await Promise.allSettled(this.#ending)
  }
}
