import { strategies } from '../../../foundation/balancing/strategies.ts'
import type { TenantId } from '../../../foundation/kernel/ids.ts'
import type { AddressGuard } from '../../../foundation/platform/network/address-guard.ts'
import { RouteCounters } from './figures/route-counters.ts'
import type { GatewayRoute } from './gateway-route.ts'
import type { WriteGatewayRoute } from './route-definition-contract.ts'
import { affinityToken, type ChoiceRequest, chooseUpstream, type TargetGroup } from './upstreams/choose-upstream.ts'
import { HealthCheck } from './upstreams/health-check.ts'
import { RetryBudget } from './upstreams/retry-budget.ts'
import { shapeOf, type Undici, Upstream } from './upstreams/upstream.ts'

export interface LiveRouteOptions {
  readonly route: GatewayRoute
  readonly guard: AddressGuard
  readonly undici: Undici
  /** Header values with their secrets filled in. */
  readonly requestHeaders: WriteGatewayRoute['requestHeaders']
  /** Asks upstreams how they are. */
  readonly checks: boolean
  /** The same route as it was before: its figures go on, and what has not changed keeps its connections. */
  readonly former: LiveRoute | null
  readonly now: Date
}

/** How long requests under way may take to leave an upstream that is no longer wanted. */
const leavingMs = 60_000

/** A managed route at work in this process. */
export class LiveRoute {
  readonly id: string
  readonly tenant: TenantId
  readonly rev: number
  readonly definition: WriteGatewayRoute
  readonly requestHeaders: WriteGatewayRoute['requestHeaders']
  readonly counters: RouteCounters
  readonly upstreams: readonly Upstream[]
  readonly budget: RetryBudget
  /** The name of the affinity cookie. */
  readonly cookie: string
  /** The name under which its own rate is counted. */
  readonly rateKey: string
  readonly #groups: readonly TargetGroup[]
  readonly #tokens: ReadonlyMap<string, Upstream>
  readonly #checks: readonly HealthCheck[]

  constructor({ route, guard, undici, requestHeaders, checks, former, now }: LiveRouteOptions) {
    const { id, tenant, rev, definition } = route
    this.id = id
    this.tenant = tenant
    this.rev = rev
    this.definition = definition
    this.requestHeaders = requestHeaders
    this.counters = former?.counters ?? new RouteCounters(now)
    this.budget = new RetryBudget(definition.retries.budget)
    this.cookie = `lv_${definition.name}`
    this.rateKey = `gateway:${tenant}:${id}`
    const kept = new Map(former?.upstreams.map((upstream) => [upstream.shape, upstream]))
    this.#groups = definition.targets.map((target) => ({
      name: target.name,
      weight: target.weight,
      strategy: strategies[definition.strategy](),
      upstreams: target.upstreams.map(
        (upstream) =>
          kept.get(shapeOf(definition, target, upstream)) ??
          new Upstream({ definition, target, upstream, guard, undici }),
      ),
    }))
    this.upstreams = this.#groups.flatMap((group) => group.upstreams)
    this.#tokens = new Map(this.upstreams.map((upstream) => [affinityToken(id, upstream), upstream]))
    const { health, enabled } = definition
    this.#checks =
      checks && enabled && health !== null ? this.upstreams.map((upstream) => new HealthCheck(upstream, health)) : []
  }

  choose(request: ChoiceRequest): Upstream | null {
    return chooseUpstream(this.#groups, this.#tokens, request)
  }

  observe(upstream: Upstream, ms: number): void {
    for (const { upstreams, strategy } of this.#groups) {
      if (strategy.observe !== undefined && upstreams.includes(upstream)) strategy.observe(upstream.id, ms)
    }
  }

  tokenOf(upstream: Upstream): string {
    return affinityToken(this.id, upstream)
  }

  /** How long until a breaker lets somebody try, ms. */
  waitMs(now: number): number {
    return Math.min(...this.upstreams.map(({ breaker }) => breaker.waitMs(now)))
  }

  /** Ends its checks, and the connections that `successor` does not go on with. */
  async close(successor: LiveRoute | null, graceMs = leavingMs): Promise<void> {
    for (const check of this.#checks) check.stop()
    const kept = new Set(successor?.upstreams)
    await Promise.all(this.upstreams.filter((upstream) => !kept.has(upstream)).map((each) => each.close(graceMs)))
  }
}
