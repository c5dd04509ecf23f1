import type { Dispatcher, Pool } from 'undici'
import type { Candidate } from '../../../../foundation/balancing/candidate.ts'
import type { Dimension } from '../../../../foundation/balancing/dimensions-contract.ts'
import type { AddressGuard } from '../../../../foundation/platform/network/address-guard.ts'
import type { WriteGatewayRoute } from '../route-definition-contract.ts'
import { Breaker } from './breaker.ts'
import { guardedConnector } from './guarded-connect.ts'
import { readUpstreamUrl, type UpstreamAddress } from './upstream-url.ts'

export type Undici = typeof import('undici')
export type Health = 'unchecked' | 'unknown' | 'healthy' | 'unhealthy'
type Target = WriteGatewayRoute['targets'][number]

export interface UpstreamOptions {
  readonly definition: WriteGatewayRoute
  readonly target: Target
  readonly upstream: Target['upstreams'][number]
  readonly guard: AddressGuard
  readonly undici: Undici
}

/** Connections to one upstream, from one route of one process; requests beyond wait for a free one. */
const mostConnections = 256

/** One upstream of a route as it stands in this process. */
export class Upstream implements Candidate {
  readonly id: string
  readonly name: string
  readonly target: string
  readonly url: string
  readonly address: UpstreamAddress
  readonly slots: number
  readonly weight: number
  readonly levels: ReadonlyMap<string, number>
  readonly breaker: Breaker
  readonly pool: Pool
  /** What of the definition it was made from: another with the same can go on with its connections. */
  readonly shape: string
  used = 0
  load: Partial<Record<Dimension, number>> = {}
  health: Health
  requests = 0
  failures = 0
  lastError: string | null = null

  constructor({ definition, target, upstream, guard, undici }: UpstreamOptions) {
    const { concurrency, weight, url, name, capabilities } = upstream
    this.id = `${target.name}/${name}`
    this.name = name
    this.target = target.name
    this.url = url
    this.address = readUpstreamUrl(url, guard)
    this.slots = concurrency
    this.weight = weight
    this.levels = new Map(
      capabilities.map((text) => {
        const [capability = '', level = '1'] = text.split(':')
        return [capability, Number(level)]
      }),
    )
    this.breaker = new Breaker(this.id, definition.breaker)
    this.health = definition.health === null ? 'unchecked' : 'unknown'
    this.shape = shapeOf(definition, target, upstream)
    const { connectMs } = definition.timeouts
    this.pool = new undici.Pool(this.address.origin, {
      connections: Math.min(concurrency, mostConnections),
      pipelining: 1,
      keepAliveTimeout: 30_000,
      headersTimeout: 0,
      bodyTimeout: definition.timeouts.idleMs,
      maxHeaderSize: 32_768,
      connect: guardedConnector(undici.buildConnector, this.address, guard, connectMs),
    })
  }

  /** Whether requests may go to it, as far as its checks and its breaker tell. */
  isUp(now: number): boolean {
    return this.health !== 'unhealthy' && this.breaker.admits(now)
  }

  dispatch(options: Omit<Dispatcher.DispatchOptions, 'origin'>, handler: Dispatcher.DispatchHandler): void {
    this.pool.dispatch(options, handler)
  }

  noteFailure(reason: string): void {
    this.failures += 1
    this.lastError = reason.slice(0, 300)
  }

  /** Lets what is under way end, up to `graceMs`. */
  async close(graceMs: number): Promise<void> {
    if (graceMs === 0) return this.pool.destroy()
    const cut = setTimeout(() => void this.pool.destroy(), graceMs)
    cut.unref()
    try {
      await this.pool.close()
    } finally {
      clearTimeout(cut)
    }
  }
}

/** Two upstreams with the same shape are one and the same thing. */
export function shapeOf(
  { breaker, timeouts, health }: WriteGatewayRoute,
  target: Target,
  upstream: Target['upstreams'][number],
): string {
  const { connectMs, idleMs } = timeouts
  return JSON.stringify([target.name, upstream, breaker, connectMs, idleMs, health])
}
