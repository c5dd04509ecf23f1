import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** How a provider speaks of its limits. `plain`: 429 with retry-after alone. `bare`: 429 and nothing else. */
export type Dialect = 'openai' | 'anthropic' | 'plain' | 'bare'

export interface ProviderScript {
  readonly dialect: Dialect
  /** A bucket of requests: so many at once, so many a second. Null: none. */
  readonly requests: { readonly burst: number; readonly perSecond: number } | null
  readonly tokens?: { readonly burst: number; readonly perSecond: number }
  readonly concurrent?: number
  /** How long an answer takes, ms. Default 30. */
  readonly latencyMs?: number
}

export interface Seen {
  /** Monotonic ms. */
  readonly at: number
  readonly refused: boolean
  readonly caller: string
}

class Bucket {
  level: number
  #at = performance.now()
  readonly burst: number
  readonly perSecond: number

  constructor({ burst, perSecond }: { readonly burst: number; readonly perSecond: number }) {
    this.level = burst
    this.burst = burst
    this.perSecond = perSecond
  }

  take(amount: number): boolean {
    const now = performance.now()
    this.level = Math.min(this.burst, this.level + ((now - this.#at) / 1_000) * this.perSecond)
    this.#at = now
    if (this.level < amount) return false
    this.level -= amount
    return true
  }

  /** Seconds until `amount` is there. */
  wait(amount: number): number {
    return Math.max(0, (amount - this.level) / this.perSecond)
  }
}

/** A model provider that limits an account as the real ones do: a real HTTP server that answers 429 with reset headers. */
export class ScriptedProvider implements AsyncDisposable {
  readonly seen: Seen[] = []
  readonly #script: ProviderScript
  readonly #server = createServer((request, response) => this.#answer(request, response))
  readonly #requests: Bucket | null
  readonly #tokens: Bucket | null
  #underWay = 0

  private constructor(script: ProviderScript) {
    this.#script = script
    this.#requests = script.requests === null ? null : new Bucket(script.requests)
    this.#tokens = script.tokens === undefined ? null : new Bucket(script.tokens)
  }

  static async start(script: ProviderScript): Promise<ScriptedProvider> {
    const provider = new ScriptedProvider(script)
    await new Promise<void>((resolve) => provider.#server.listen(0, '127.0.0.1', resolve))
    return provider
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** How many requests were refused, of how many, from `fromMs` after the first on. */
  refusals(fromMs: number): { readonly refused: number; readonly total: number } {
    const start = this.seen[0]?.at ?? 0
    const late = this.seen.filter(({ at }) => at - start >= fromMs)
    return { refused: late.filter(({ refused }) => refused).length, total: late.length }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const tokens = Number(request.headers['x-tokens'] ?? 0)
    const { concurrent, latencyMs = 30 } = this.#script
    const full = concurrent !== undefined && this.#underWay >= concurrent
    const refused = full || !this.#take(tokens)
    this.seen.push({ at: performance.now(), refused, caller: String(request.headers['x-caller'] ?? '') })
    for (const [name, value] of Object.entries(this.#headers(refused, tokens))) response.setHeader(name, value)
    response.statusCode = refused ? 429 : 200
    if (refused) return void response.end('{"error":"rate limited"}')
    this.#underWay += 1
    setTimeout(() => {
      this.#underWay -= 1
      response.end('{"ok":true}')
    }, latencyMs)
  }

  #take(tokens: number): boolean {
    if (this.#tokens !== null && !this.#tokens.take(0)) return false
    if (this.#tokens !== null && this.#tokens.level < tokens) return false
    if (this.#requests !== null && !this.#requests.take(1)) return false
    this.#tokens?.take(tokens)
    return true
  }

  #headers(refused: boolean, tokens: number): Readonly<Record<string, string>> {
    const { dialect } = this.#script
    const wait = Math.max(this.#requests?.wait(1) ?? 0.2, this.#tokens?.wait(tokens) ?? 0)
    const retry: Readonly<Record<string, string>> =
      refused && dialect !== 'bare' ? { 'retry-after': String(Math.ceil(wait)) } : {}
    if (dialect === 'plain' || dialect === 'bare') return retry
    const limits = [['requests', this.#requests] as const, ['tokens', this.#tokens] as const].flatMap(
      ([name, bucket]) => {
        if (bucket === null) return []
        const full = (bucket.burst - bucket.level) / bucket.perSecond
        const told = { limit: String(bucket.burst), remaining: String(Math.floor(bucket.level)) }
        if (dialect === 'openai') {
          return [
            [`x-ratelimit-limit-${name}`, told.limit],
            [`x-ratelimit-remaining-${name}`, told.remaining],
            [`x-ratelimit-reset-${name}`, `${Math.ceil(full * 1_000)}ms`],
          ]
        }
        return [
          [`anthropic-ratelimit-${name}-limit`, told.limit],
          [`anthropic-ratelimit-${name}-remaining`, told.remaining],
          [`anthropic-ratelimit-${name}-reset`, new Date(Date.now() + full * 1_000).toISOString()],
        ]
      },
    )
    const precise: Readonly<Record<string, string>> =
      refused && dialect === 'openai' ? { 'retry-after-ms': String(Math.ceil(wait * 1_000)) } : {}
    return { ...Object.fromEntries(limits), ...retry, ...precise }
  }
}
