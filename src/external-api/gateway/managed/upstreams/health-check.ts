import type { WriteGatewayRoute } from '../route-definition-contract.ts'
import { readLoad } from './read-load.ts'
import type { Upstream } from './upstream.ts'

type Rule = NonNullable<WriteGatewayRoute['health']>

/** Asks an upstream again and again how it is (active health). Any answer of 2xx or 3xx is a good one. */
export class HealthCheck {
  readonly #upstream: Upstream
  readonly #rule: Rule
  readonly #stop = new AbortController()
  #inRow = 0
  #last: boolean | null = null
  #timer: NodeJS.Timeout | null = null

  constructor(upstream: Upstream, rule: Rule) {
    this.#upstream = upstream
    this.#rule = rule
    this.#next(0)
  }

  stop(): void {
    this.#stop.abort()
    if (this.#timer !== null) clearTimeout(this.#timer)
  }

  #next(ms: number): void {
    if (this.#stop.signal.aborted) return
    this.#timer = setTimeout(() => {
      this.#ask().then((ok) => {
        this.#note(ok)
        this.#next(this.#rule.intervalMs)
      })
    }, ms)
    this.#timer.unref()
  }

  /** Never rejects: every failure is an answer. */
  async #ask(): Promise<boolean> {
    const { path, timeoutMs } = this.#rule
    const { address, pool } = this.#upstream
    try {
      const { statusCode, headers, body } = await pool.request({
        method: 'GET',
        path: address.basePath + path,
        headers: { 'user-agent': 'leanvibe-gateway' },
        signal: AbortSignal.any([this.#stop.signal, AbortSignal.timeout(timeoutMs)]),
      })
      await body.dump({ limit: 65_536 })
      readLoad(headers['endpoint-load-metrics'], this.#upstream)
      if (statusCode < 400) return true
      this.#upstream.lastError = `its health check was answered ${statusCode}`
    } catch (error) {
      if (!this.#stop.signal.aborted)
        this.#upstream.lastError = `its health check failed: ${String(error).slice(0, 200)}`
    }
    return false
  }

  /** The first answer counts at once; after it, only several in a row change its mind. */
  #note(ok: boolean): void {
    this.#inRow = ok === this.#last ? this.#inRow + 1 : 1
    const first = this.#last === null
    this.#last = ok
    const needed = ok ? this.#rule.healthyAfter : this.#rule.unhealthyAfter
    if (first || this.#inRow >= needed) this.#upstream.health = ok ? 'healthy' : 'unhealthy'
  }
}
