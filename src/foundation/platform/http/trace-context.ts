import { type Random, systemRandom } from '../../kernel/random.ts'

/** W3C Trace Context of one request: which trace it belongs to, who called, and the span that stands for it. */
export interface TraceContext {
  /** 32 hex digits. */
  readonly traceId: string
  /** The caller's span, 16 hex digits; null where the trace begins here. */
  readonly parentId: string | null
  /** Our own. */
  readonly spanId: string
  readonly sampled: boolean
  /** The `tracestate` of the caller, passed on as it is; null where there is none. */
  readonly state: string | null
}

type Headers = Readonly<Record<string, string | string[] | undefined>>

/** Continues the caller's trace, or begins one where the header is missing or breaks the standard. */
export function readTrace(headers: Headers, random: Random = systemRandom): TraceContext {
  const parent = parseTraceparent(headers.traceparent)
  const text = hexOf(random.bytes(parent === null ? 24 : 8))
  const spanId = notZero(text.slice(0, 16))
  if (parent === null) return { traceId: notZero(text.slice(16)), parentId: null, spanId, sampled: false, state: null }
  const { tracestate } = headers
  const state = Array.isArray(tracestate) ? tracestate.join(',') : (tracestate ?? null)
  return { ...parent, spanId, state: state !== null && state !== '' && state.length <= 512 ? state : null }
}

/** The header for calls made on behalf of the request, and for the answer. */
export function formatTraceparent({ traceId, spanId, sampled }: TraceContext): string {
  return `00-${traceId}-${spanId}-${sampled ? '01' : '00'}`
}

function parseTraceparent(header: string | string[] | undefined) {
  if (typeof header !== 'string') return null
  const match = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/.exec(header)
  if (match === null) return null
  const [, version, traceId, parentId, flags, more] = match
  // Version ff is forbidden; 00 ends after the flags; later ones may go on.
  if (version === 'ff' || (version === '00' && more !== undefined)) return null
  if (/^0+$/.test(traceId!) || /^0+$/.test(parentId!)) return null
  return { traceId: traceId!, parentId: parentId!, sampled: (Number.parseInt(flags!, 16) & 1) === 1 }
}

function hexOf({ buffer, byteOffset, byteLength }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString('hex')
}

function notZero(id: string): string {
  return id.startsWith('0') && /^0+$/.test(id) ? `${id.slice(0, -1)}1` : id
}
