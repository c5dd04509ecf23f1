import type { FrontDoor, LimitState, Verdict } from '../../../foundation/platform/http/front-door.ts'
import type { Principal } from '../../../foundation/platform/http/principal.ts'
import { callerOf } from './caller-address.ts'
import type { Limiter, Taking } from './limiter.ts'
import { limitsInstead, type RateLimits } from './rate-limits.ts'
import { type RateLimit, resetSeconds } from './token-bucket.ts'

interface Applied {
  readonly name: string
  readonly key: string
  readonly limit: RateLimit
}

const letIn: Verdict = { allowed: true, retryAfterMs: 0, states: [] }

/**
 * Counts each request against the limits that apply to it. A request that one of them refuses costs the others nothing.
 * The token file of the data folder is not counted: it is the machine's own user.
 */
export function createFrontDoor(limiter: Limiter, limits: RateLimits): FrontDoor {
  const failures = new Map<string, number>()

  /** Answers at once where the limiter does: most requests wait for nobody. */
  function pass(applied: readonly Applied[], from = 0, states: LimitState[] = []): Promise<Verdict> | Verdict {
    for (let n = from; n < applied.length; n++) {
      const { key, limit } = applied[n]!
      const taking = limiter.take(key, limit)
      if (taking instanceof Promise) {
        return taking.then((known) => refusalOf(applied, n, known, states) ?? pass(applied, n + 1, states))
      }
      const refusal = refusalOf(applied, n, taking, states)
      if (refusal !== null) return refusal
    }
    return { allowed: true, retryAfterMs: 0, states }
  }

  function refusalOf(applied: readonly Applied[], n: number, taking: Taking, states: LimitState[]): Verdict | null {
    const { taken, tokens, waitMs } = taking
    const state = stateOf(applied[n]!, tokens)
    states.push(state)
    if (taken) return null
    for (const { key } of applied.slice(0, n)) limiter.putBack(key)
    return { allowed: false, retryAfterMs: waitMs, states: [state] }
  }

  return {
    arrive({ ip: address, limit, path }) {
      const ip = callerOf(address)
      const until = failures.get(ip)
      if (until !== undefined) {
        const wait = until - performance.now()
        if (wait > 0) return { allowed: false, retryAfterMs: wait, states: [] }
        failures.delete(ip)
      }
      if (limit !== null && limitsInstead.has(limit)) {
        return pass(one(limit, `${limit}:ip:${ip}`, limits.named[limit] ?? null))
      }
      const applied = one('ip', `ip:${ip}`, limits.ip)
      // A route with a limit of its own and no caller: webhooks, the beginning of a login.
      if (limit !== null) applied.push(...one(limit, `${limit}:${path}:ip:${ip}`, limits.named[limit] ?? null))
      return pass(applied)
    },
    admit({ method, path, limit }, principal) {
      if (!isCounted(principal) || (limit !== null && limitsInstead.has(limit))) return letIn
      const { tenant, key } = principal
      const applied: Applied[] = []
      if (limits.key !== null) applied.push({ name: 'key', key: `key:${tenant}:${key}`, limit: limits.key })
      if (limits.route !== null)
        applied.push({ name: 'route', key: `route:${tenant}:${method} ${path}`, limit: limits.route })
      if (limits.tenant !== null) applied.push({ name: 'tenant', key: `tenant:${tenant}`, limit: limits.tenant })
      return pass(applied)
    },
    async fail({ ip: address }) {
      const ip = callerOf(address)
      if (limits.failures === null) return
      const { taken, waitMs } = await limiter.take(`failures:${ip}`, limits.failures)
      if (taken) return
      if (failures.size > 10_000) failures.clear()
      failures.set(ip, performance.now() + waitMs)
    },
  }
}

function one(name: string, key: string, limit: RateLimit | null): Applied[] {
  return limit === null ? [] : [{ name, key, limit }]
}

function isCounted({ key }: Principal): boolean {
  return key !== undefined && key !== null
}

function stateOf({ name, limit }: Applied, tokens: number): LimitState {
  return {
    name,
    quota: limit.requests,
    windowSeconds: Math.ceil(limit.windowMs / 1_000),
    remaining: Math.max(0, Math.floor(tokens)),
    resetSeconds: resetSeconds(Math.min(tokens, limit.requests), limit),
  }
}
