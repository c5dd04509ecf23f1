import type { IncomingHttpHeaders } from 'node:http'
import type { Dispatcher } from 'undici'
import { gatewayErrors } from '../gateway-errors.ts'
import type { Permit } from '../upstreams/breaker.ts'
import type { Upstream } from '../upstreams/upstream.ts'

/** What becomes of one try. */
export interface TryEvents {
  /** The head of an answer. `discard`: its body is not wanted, because there will be another try. */
  onHead(one: Try, status: number, headers: IncomingHttpHeaders): 'pass' | 'discard'
  onData(one: Try, chunk: Buffer): void
  onEnd(one: Try): void
  /** Before the head, or in the middle of the body. */
  onFailure(one: Try, error: Error): void
}

/** Of an answer that is not wanted so much is read, so that its connection can be used again. */
const mostDiscarded = 65_536

/** One request to one upstream. */
export class Try implements Dispatcher.DispatchHandler {
  readonly upstream: Upstream
  readonly permit: Permit
  readonly #events: TryEvents
  readonly #startedAt = performance.now()
  readonly #timer: NodeJS.Timeout
  #controller: Dispatcher.DispatchController | null = null
  #abortedFor: Error | null = null
  #state: 'waiting' | 'passing' | 'discarding' | 'over' = 'waiting'
  #discarded = 0

  constructor(upstream: Upstream, permit: Permit, responseMs: number, events: TryEvents) {
    this.upstream = upstream
    this.permit = permit
    this.#events = events
    upstream.used += 1
    upstream.requests += 1
    this.#timer = setTimeout(
      () => this.abort(gatewayErrors['gateway-upstream-timeout'](`${upstream.id}: no answer within ${responseMs} ms`)),
      responseMs,
    )
  }

  /** Since it began, ms. */
  elapsed(): number {
    return performance.now() - this.#startedAt
  }

  /** The client is still sending: the time for the answer has not begun. */
  refresh(): void {
    if (this.#state === 'waiting') this.#timer.refresh()
  }

  pause(): void {
    this.#controller?.pause()
  }

  resume(): void {
    this.#controller?.resume()
  }

  abort(reason: Error): void {
    if (this.#state === 'over' || this.#abortedFor !== null) return
    this.#abortedFor = reason
    if (this.#controller !== null) this.#controller.abort(reason)
    // It waits for a connection; undici hears of it when there is one.
    else this.#fail(reason)
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (this.#abortedFor !== null) controller.abort(this.#abortedFor)
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    if (status < 200 || this.#state !== 'waiting') return
    clearTimeout(this.#timer)
    this.#state = 'passing'
    if (this.#events.onHead(this, status, headers) === 'discard') {
      this.#leave()
      this.#state = 'discarding'
    }
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#state === 'passing') this.#events.onData(this, chunk)
    else if (this.#state === 'discarding') {
      this.#discarded += chunk.length
      if (this.#discarded > mostDiscarded) controller.abort(new Error('not wanted'))
    }
  }

  onResponseEnd(): void {
    if (this.#state !== 'passing') return
    this.#leave()
    this.#events.onEnd(this)
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#fail(this.#abortedFor ?? error)
  }

  #fail(error: Error): void {
    if (this.#state === 'over' || this.#state === 'discarding') return
    this.#leave()
    this.#events.onFailure(this, error)
  }

  #leave(): void {
    clearTimeout(this.#timer)
    this.#state = 'over'
    this.upstream.used -= 1
  }
}
