import type { IncomingHttpHeaders, ServerResponse } from 'node:http'
import type { MountCall } from '../../../../foundation/platform/http/mount.ts'
import { gatewayErrors } from '../gateway-errors.ts'
import type { LiveRoute } from '../live-route.ts'
import { readLoad } from '../upstreams/read-load.ts'
import type { Upstream } from '../upstreams/upstream.ts'
import { affinityCookie, cookieOf } from './affinity.ts'
import { describe, failureOf, wasSent } from './failure-of.ts'
import { assertWithin, declaredLength, mostBuffered, readBody, streamBody } from './request-body.ts'
import { requestHeadersOf } from './request-headers.ts'
import { responseHeadersOf } from './response-headers.ts'
import { Try, type TryEvents } from './try.ts'

export interface ExchangeOptions {
  readonly call: MountCall
  readonly route: LiveRoute
  /** What the upstream is asked for, without the path that goes before it. */
  readonly path: string
  readonly random: () => number
}

const gone = new Error('the client went away')
/** A client that reads nothing for so long, though there is more, is cut off. */
const stallMs = 30_000
/** Bodies up to this size leave in one piece with their head. */
const mostJoined = 16_384

/** One request of a client: passed to an upstream, tried again where that is allowed, and its answer passed back. */
export class Exchange implements TryEvents {
  readonly #call: MountCall
  readonly #route: LiveRoute
  readonly #path: string
  readonly #random: () => number
  readonly #startedAt = performance.now()
  readonly #stickTo: string | undefined
  readonly #key: string | undefined
  #body: Buffer | 'stream' | null = null
  #bodyBegun = false
  #retries = 0
  #tried: Set<Upstream> | undefined
  #try: Try | null = null
  #pause: NodeJS.Timeout | null = null
  #stalled: NodeJS.Timeout | null = null
  #length: number | null = null
  #hasData = false
  #isOver = false
  #onDrain: (() => void) | null = null

  constructor({ call, route, path, random }: ExchangeOptions) {
    this.#call = call
    this.#route = route
    this.#path = path
    this.#random = random
    const { affinity } = route.definition
    if (affinity?.by === 'cookie') this.#stickTo = cookieOf(call.request.headers.cookie, route.cookie)
    else if (affinity?.by === 'header') {
      const value = call.request.headers[affinity.header]
      if (value !== undefined) this.#key = String(value)
    }
  }

  /** Throws `body-too-large`, or what is wrong with a body that is read first. */
  async run(): Promise<void> {
    const { request, response } = this.#call
    const { counters, definition } = this.#route
    const length = declaredLength(request)
    assertWithin(length ?? 0, definition.bodyLimit)
    counters.requests += 1
    counters.active += 1
    this.#route.budget.onRequest(this.#startedAt)
    response.once('close', () => this.#onClose())
    response.on('error', () => {})
    if (length !== 0) {
      try {
        if (length !== null && length <= mostBuffered) {
          this.#body = await readBody(request, definition.bodyLimit)
          counters.bytesIn += this.#body.length
        } else this.#body = 'stream'
      } catch (error) {
        this.#giveUp(error)
        return
      }
    }
    if (!this.#isOver) this.#send()
  }

  #send(): void {
    const now = performance.now()
    const { definition } = this.#route
    const upstream = this.#route.choose({
      now,
      stickTo: this.#stickTo,
      draw: this.#random(),
      ...(this.#tried === undefined ? {} : { tried: this.#tried }),
      ...(this.#key === undefined ? {} : { key: this.#key }),
      ...(definition.strategy === 'capability_based' ? { required: neededBy(this.#call.request.headers) } : {}),
    })
    const permit = upstream?.breaker.acquire(now) ?? null
    if (upstream === null || permit === null) {
      const details = { retryAfterMs: Math.max(1_000, this.#route.waitMs(now)) }
      this.#giveUp(gatewayErrors['gateway-no-upstream'](`${definition.name} has no upstream now`, { details }))
      return
    }
    const one = new Try(upstream, permit, definition.timeouts.responseMs, this)
    this.#try = one
    const headers = requestHeadersOf({
      request: this.#call.request,
      ip: this.#call.ip,
      secure: this.#call.secure,
      requestId: this.#call.requestId,
      trace: this.#call.trace,
      tenant: this.#call.principal.tenant,
      principal: this.#call.principal.id,
      policy: this.#route.requestHeaders,
      preserveHost: definition.preserveHost,
      authority: upstream.address.authority,
    })
    try {
      upstream.dispatch(
        {
          method: this.#call.request.method as 'GET',
          path: upstream.address.basePath + this.#path,
          headers: this.#framed(headers),
          // undici takes any async iterable; its types name the usual ones.
          body: (this.#body === 'stream' ? this.#stream(one) : this.#body) as Buffer | null,
        },
        one,
      )
    } catch (error) {
      // A request that undici will not send: a header or a path it does not take.
      one.abort(error as Error)
    }
  }

  #framed(headers: string[]): string[] {
    if (this.#body !== 'stream') return headers
    const length = declaredLength(this.#call.request)
    return length === null ? headers : [...headers, 'content-length', String(length)]
  }

  #stream(one: Try): AsyncGenerator<Buffer> {
    const { counters, definition } = this.#route
    const onBytes = (count: number) => {
      this.#bodyBegun = true
      counters.bytesIn += count
      one.refresh()
    }
    return streamBody(this.#call.request, definition.bodyLimit, onBytes)
  }

  onHead(one: Try, status: number, headers: IncomingHttpHeaders): 'pass' | 'discard' {
    const { upstream, permit } = one
    const now = performance.now()
    if (status >= 500) {
      upstream.noteFailure(`answered ${status}`)
      upstream.breaker.fail(permit, now)
      const { statuses } = this.#route.definition.retries
      if (statuses.includes(status) && this.#mayRepeat() && this.#retry(upstream, now)) return 'discard'
    } else {
      upstream.breaker.succeed(permit, now)
      this.#route.observe(upstream, one.elapsed())
    }
    readLoad(headers['endpoint-load-metrics'], upstream)
    this.#begin(one, status, headers)
    return 'pass'
  }

  #begin(one: Try, status: number, headers: IncomingHttpHeaders): void {
    const { response, secure, drain } = this.#call
    const { definition, cookie } = this.#route
    const own = this.#call.ownHeaders()
    if (definition.affinity?.by === 'cookie') {
      const token = this.#route.tokenOf(one.upstream)
      if (token !== this.#stickTo)
        own.push('set-cookie', affinityCookie(cookie, token, { seconds: definition.affinity.seconds, secure }))
    }
    try {
      response.writeHead(status, responseHeadersOf(headers, definition.responseHeaders, own))
    } catch (error) {
      // The upstream said something that no header may hold.
      one.abort(error as Error)
      return
    }
    this.#route.counters.answer(status)
    const length = headers['content-length']
    this.#length = typeof length === 'string' ? Number(length) : null
    if (this.#length !== null) return
    // Where nothing comes along with the head, the client must have it before there is more.
    process.nextTick(() => {
      if (!this.#hasData && !this.#isOver) response.flushHeaders()
    })
    if (String(headers['content-type']).startsWith('text/event-stream')) {
      this.#onDrain = () => this.#endStream(one)
      drain.addEventListener('abort', this.#onDrain, { once: true })
    }
  }

  /** The server ends: a stream without an end of its own ends in good order, and its client connects again. */
  #endStream(one: Try): void {
    this.#finish()
    this.#call.response.end()
    one.abort(gone)
  }

  onData(one: Try, chunk: Buffer): void {
    const { response } = this.#call
    this.#hasData = true
    this.#route.counters.bytesOut += chunk.length
    if (chunk.length === this.#length) {
      endWith(response, chunk)
      return
    }
    if (response.write(chunk)) return
    one.pause()
    this.#stalled = setTimeout(() => response.destroy(), stallMs)
    response.once('drain', () => {
      if (this.#stalled !== null) clearTimeout(this.#stalled)
      one.resume()
    })
  }

  onEnd(): void {
    this.#finish()
    this.#call.response.end()
  }

  onFailure(one: Try, error: Error): void {
    const { upstream, permit } = one
    const now = performance.now()
    // Our own client is no fault of the upstream: it went away, or sent what cannot be passed on.
    if (this.#isOver || error === gone || this.#call.request.errored != null) upstream.breaker.release(permit)
    else {
      const isOurs = 'code' in error && error.code === 'body-too-large'
      if (isOurs) upstream.breaker.release(permit)
      else {
        upstream.noteFailure(describe(error))
        upstream.breaker.fail(permit, now)
      }
    }
    if (this.#isOver) return
    if (!this.#call.response.headersSent) {
      const repeatable = this.#mayRepeat() || (!wasSent(error) && !this.#bodyBegun)
      if (repeatable && this.#retry(upstream, now)) return
    }
    this.#giveUp(failureOf(upstream.id, error))
  }

  #mayRepeat(): boolean {
    const { methods } = this.#route.definition.retries
    return this.#body !== 'stream' && (methods as readonly string[]).includes(this.#call.request.method ?? '')
  }

  /** Whether there will be another try. */
  #retry(upstream: Upstream, now: number): boolean {
    const { definition, counters, budget } = this.#route
    const { attempts, pauseMs } = definition.retries
    if (this.#retries >= attempts || this.#isOver) return false
    if (!budget.take(now)) {
      counters.retriesRefused += 1
      return false
    }
    this.#retries += 1
    counters.retries += 1
    this.#tried ??= new Set()
    this.#tried.add(upstream)
    const longest = pauseMs * 2 ** (this.#retries - 1)
    this.#pause = setTimeout(() => this.#send(), longest * (0.5 + this.#random() / 2))
    return true
  }

  #giveUp(error: unknown): void {
    if (this.#isOver) return
    const { counters } = this.#route
    const begun = this.#call.response.headersSent
    this.#finish()
    if (begun) counters.aborted += 1
    this.#call.fail(error)
    if (begun) return
    const status = this.#call.response.statusCode
    counters.answer(status)
    if (status >= 500) counters.failed += 1
  }

  #onClose(): void {
    if (this.#isOver) return
    const whole = this.#call.response.writableFinished
    this.#finish()
    if (whole) return
    this.#route.counters.aborted += 1
    this.#try?.abort(gone)
  }

  #finish(): void {
    if (this.#isOver) return
    this.#isOver = true
    if (this.#pause !== null) clearTimeout(this.#pause)
    if (this.#stalled !== null) clearTimeout(this.#stalled)
    if (this.#onDrain !== null) this.#call.drain.removeEventListener('abort', this.#onDrain)
    const { counters } = this.#route
    counters.active -= 1
    counters.latency.add(performance.now() - this.#startedAt)
  }
}

/** A text that stands for the same bytes is put behind the head by Node itself: one write costs less than two gathered. */
function endWith(response: ServerResponse, body: Buffer): void {
  if (body.length > mostJoined) response.end(body)
  else response.end(body.toString('latin1'), 'latin1')
}

/** `leanvibe-capabilities: code, review:3` */
function neededBy(headers: IncomingHttpHeaders): ReadonlyMap<string, number> {
  const header = headers['leanvibe-capabilities']
  const words = typeof header === 'string' ? header.split(',').slice(0, 50) : []
  return new Map(
    words.flatMap((word) => {
      const [name = '', level = '1'] = word.trim().split(':')
      return name === '' || !/^\d{1,2}$/.test(level) ? [] : [[name, Number(level)] as const]
    }),
  )
}
