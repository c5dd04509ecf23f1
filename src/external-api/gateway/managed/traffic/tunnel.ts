import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { Duplex } from 'node:stream'
import type { MountCall } from '../../../../foundation/platform/http/mount.ts'
import type { Upgrade } from '../../../../foundation/platform/http/route.ts'
import type { AddressGuard } from '../../../../foundation/platform/network/address-guard.ts'
import { gatewayErrors } from '../gateway-errors.ts'
import type { LiveRoute } from '../live-route.ts'
import type { Permit } from '../upstreams/breaker.ts'
import { assertAddress, lookupFor } from '../upstreams/guarded-connect.ts'
import type { Upstream } from '../upstreams/upstream.ts'
import { describe, failureOf } from './failure-of.ts'
import { requestHeadersOf } from './request-headers.ts'
import { responseHeadersOf } from './response-headers.ts'

export interface TunnelOptions {
  readonly call: MountCall
  readonly upgrade: Upgrade
  readonly route: LiveRoute
  readonly upstream: Upstream
  readonly permit: Permit
  readonly path: string
  readonly guard: AddressGuard
}

/** A server frame of a WebSocket: closed with 1001, "going away". */
const goingAway = Buffer.from([0x88, 0x02, 0x03, 0xe9])
/** When the server ends, a tunnel ends as soon as nothing has passed for so long. */
const quietMs = 250

/**
 * Passes an upgrade on and, where the upstream agrees, joins both connections: nothing is read, kept or changed on the
 * way, and each side is read as fast as the other takes it. Another answer is passed back as it is.
 */
export function openTunnel(options: TunnelOptions): void {
  const { call, route, upstream, permit, path, guard } = options
  const { counters, definition } = route
  const startedAt = performance.now()
  upstream.used += 1
  upstream.requests += 1
  counters.requests += 1
  counters.active += 1
  let isOver = false
  const end = () => {
    if (isOver) return
    isOver = true
    upstream.used -= 1
    counters.active -= 1
    counters.latency.add(performance.now() - startedAt)
  }
  const giveUp = (error: unknown) => {
    if (isOver) return
    end()
    upstream.noteFailure(describe(error))
    upstream.breaker.fail(permit, performance.now())
    call.fail(failureOf(upstream.id, error))
    counters.answer(call.response.statusCode)
    counters.failed += 1
  }
  try {
    assertAddress(upstream.address, guard)
  } catch (error) {
    giveUp(error)
    return
  }
  const asked = ask(options, path)
  asked.setTimeout(definition.timeouts.responseMs, () =>
    asked.destroy(gatewayErrors['gateway-upstream-timeout'](`${upstream.id}: no answer to the upgrade`)),
  )
  asked.once('error', giveUp)
  asked.once('response', (answer) => {
    note(answer.statusCode ?? 502)
    passBack(options, answer, end)
  })
  asked.once('upgrade', (answer, socket, head) => {
    asked.setTimeout(0)
    note(101)
    counters.upgrades += 1
    join(options, answer, socket, head, end)
  })
  call.response.once('close', () => {
    if (isOver || asked.destroyed || call.response.headersSent) return
    upstream.breaker.release(permit)
    counters.aborted += 1
    end()
    asked.destroy()
  })
  asked.end()

  function note(status: number): void {
    const now = performance.now()
    counters.answer(status)
    if (status < 500) upstream.breaker.succeed(permit, now)
    else {
      upstream.noteFailure(`answered ${status}`)
      upstream.breaker.fail(permit, now)
    }
  }
}

function ask({ call, route, upstream, guard }: TunnelOptions, path: string): ClientRequest {
  const { address } = upstream
  const headers = requestHeadersOf({
    request: call.request,
    ip: call.ip,
    secure: call.secure,
    requestId: call.requestId,
    trace: call.trace,
    tenant: call.principal.tenant,
    principal: call.principal.id,
    policy: route.requestHeaders,
    preserveHost: route.definition.preserveHost,
    authority: address.authority,
  })
  headers.push('connection', 'Upgrade', 'upgrade', String(call.request.headers.upgrade))
  return (address.secure ? httpsRequest : httpRequest)(address.origin, {
    method: 'GET',
    path: address.basePath + path,
    headers,
    lookup: lookupFor(address, guard),
    agent: false,
    setDefaultHeaders: false,
  })
}

function passBack({ call, route }: TunnelOptions, answer: IncomingMessage, end: () => void): void {
  const { response } = call
  const own = [...call.ownHeaders(), 'connection', 'close']
  response.writeHead(answer.statusCode ?? 502, responseHeadersOf(answer.headers, route.definition.responseHeaders, own))
  answer.once('error', () => response.destroy())
  answer.once('close', end)
  response.once('close', () => answer.destroy())
  answer.on('data', (chunk: Buffer) => {
    route.counters.bytesOut += chunk.length
  })
  answer.pipe(response)
}

function join(
  { call, upgrade, route, upstream }: TunnelOptions,
  answer: IncomingMessage,
  inner: Duplex,
  innerHead: Buffer,
  end: () => void,
): void {
  const { counters, definition } = route
  const outer = upgrade.socket
  // From now on the connection carries no HTTP.
  call.response.detachSocket(outer as Parameters<typeof call.response.detachSocket>[0])
  const headers = responseHeadersOf(answer.headers, definition.responseHeaders, call.ownHeaders())
  const lines = ['HTTP/1.1 101 Switching Protocols', 'connection: Upgrade', `upgrade: ${answer.headers.upgrade ?? ''}`]
  for (let n = 0; n < headers.length; n += 2) lines.push(`${headers[n]}: ${headers[n + 1]}`)
  outer.write(`${lines.join('\r\n')}\r\n\r\n`, 'latin1')
  if (innerHead.length > 0) outer.write(innerHead)
  if (upgrade.head.length > 0) inner.write(upgrade.head)

  let lastAt = performance.now()
  const cut = () => {
    inner.destroy()
    outer.destroy()
  }
  const idle = setInterval(
    () => {
      if (performance.now() - lastAt > definition.timeouts.idleMs) cut()
    },
    Math.max(100, Math.min(30_000, definition.timeouts.idleMs / 2)),
  )
  idle.unref()
  const isWebSocket = String(answer.headers.upgrade).toLowerCase() === 'websocket'
  let quiet: NodeJS.Timeout | null = null
  const leave = () => {
    quiet = setInterval(() => {
      if (performance.now() - lastAt < quietMs) return
      if (isWebSocket) outer.write(goingAway)
      outer.end()
      inner.destroy()
    }, quietMs / 2)
  }
  const over = () => {
    clearInterval(idle)
    if (quiet !== null) clearInterval(quiet)
    call.drain.removeEventListener('abort', leave)
    end()
  }
  if (call.drain.aborted) leave()
  else call.drain.addEventListener('abort', leave, { once: true })
  outer.on('data', (chunk: Buffer) => {
    lastAt = performance.now()
    counters.bytesIn += chunk.length
  })
  inner.on('data', (chunk: Buffer) => {
    lastAt = performance.now()
    counters.bytesOut += chunk.length
  })
  inner.once('error', (error) => upstream.noteFailure(describe(error)))
  inner.on('error', cut)
  outer.on('error', cut)
  outer.once('close', () => inner.destroy())
  inner.once('close', () => {
    outer.end()
    over()
  })
  outer.pipe(inner)
  inner.pipe(outer)
}
