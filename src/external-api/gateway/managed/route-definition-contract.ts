import { z } from 'zod'
import { strategyNames } from '../../../foundation/balancing/strategy-names-contract.ts'

export const gatewayNameSchema = z
  .string()
  .regex(/^[a-z][a-z0-9_-]{0,62}$/, 'expected lower-case letters, digits, - and _, starting with a letter')

export const gatewayMethodSchema = z.enum(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])

/** `/agents/:id/files/*`: a segment that begins with a colon takes any one segment, a last `*` takes all that is left. */
export const patternSchema = z
  .string()
  .max(500)
  .regex(
    /^\/(?:(?:[\w.~!$&'()+,;=@-]+|:[A-Za-z]\w{0,40})\/)*(?:[\w.~!$&'()+,;=@-]+|:[A-Za-z]\w{0,40}|\*)?$/,
    'expected a path such as /agents/:id/*',
  )
  .refine((path) => !/(^|\/)\.{1,2}(\/|$)/.test(path), 'a path has no . and .. segments')
  .refine((path) => {
    const names = [...path.matchAll(/:(\w+)/g)].map(([, name]) => name)
    return new Set(names).size === names.length
  }, 'each parameter has a name of its own')

const headerName = z.string().regex(/^[a-z0-9!#$%&'*+.^_`|~-]{1,100}$/, 'expected the name of a header in lower case')
const headerValue = z
  .string()
  .max(4_000)
  .regex(/^[\t\x20-\x7e]*$/, 'expected printable characters')
const milliseconds = (least: number, most: number) => z.int().min(least).max(most)

/** Which hosts and headers a request must have, beside method and path. */
export const matchSchema = z.strictObject({
  path: patternSchema,
  /** Empty: all. */
  methods: z.array(gatewayMethodSchema).max(7).default([]),
  /** `api.example.org`, or `*.example.org` for all below. Empty: any. */
  hosts: z
    .array(z.string().regex(/^(\*\.)?[a-z0-9]([a-z0-9.-]{0,250}[a-z0-9])?$/, 'expected a host in lower case'))
    .max(50)
    .default([]),
  /** All of them must be there; null: with any value. */
  headers: z.record(headerName, headerValue.nullable()).default({}),
})

export const upstreamSchema = z.strictObject({
  /** Told in figures and logs. */
  name: gatewayNameSchema,
  /** Its origin, and a path that goes before that of each request. */
  url: z.string().min(1).max(2_000),
  /** Its share among equals. */
  weight: z.number().positive().max(1_000).default(1),
  /** Requests on the way to it at a time, from each replica of ours. */
  concurrency: z.int().min(1).max(100_000).default(1_024),
  /** For capability_based: `code`, `review:3`. */
  capabilities: z
    .array(z.string().regex(/^[A-Za-z0-9][\w./-]{0,99}(?::(?:[1-9]|10))?$/, 'expected code or code:3'))
    .max(100)
    .default([]),
})

/** Upstreams that run the same version of a service. With several targets, requests are shared out by their weights. */
export const targetSchema = z.strictObject({
  name: gatewayNameSchema,
  /** Of all requests, in proportion to the other targets; 0: none, unless all others are down. */
  weight: z.number().min(0).max(10_000).default(1),
  upstreams: z.array(upstreamSchema).min(1).max(100),
})

export const affinitySchema = z.discriminatedUnion('by', [
  /** A cookie of ours names the upstream; it is set with the first answer. */
  z.strictObject({ by: z.literal('cookie'), seconds: z.int().min(1).max(2_592_000).default(3_600) }),
  /** The same value of the header, the same upstream, as long as that is there. */
  z.strictObject({ by: z.literal('header'), header: headerName }),
])

export const healthCheckSchema = z.strictObject({
  path: z.string().regex(/^\/[\x21-\x7e]{0,499}$/, 'expected a path such as /healthz'),
  intervalMs: milliseconds(1_000, 3_600_000).default(10_000),
  timeoutMs: milliseconds(50, 60_000).default(2_000),
  /** Checks in a row that change its mind. */
  healthyAfter: z.int().min(1).max(100).default(2),
  unhealthyAfter: z.int().min(1).max(100).default(3),
})

/** Watches what real requests meet (passive health). Open: no requests; half-open: `probes` at a time try it. */
export const breakerSchema = z.strictObject({
  /** Failures in a row that open it. */
  failures: z.int().min(1).max(10_000).default(5),
  /** It opens as well when this share of at least `requests` in 10 s failed. */
  rate: z.number().gt(0).max(1).default(0.5),
  requests: z.int().min(1).max(100_000).default(20),
  openMs: milliseconds(10, 3_600_000).default(10_000),
  probes: z.int().min(1).max(100).default(1),
  /** Probes that must succeed before it closes. */
  successes: z.int().min(1).max(100).default(2),
})

export const retriesSchema = z.strictObject({
  /** Tries beside the first. */
  attempts: z.int().min(0).max(10).default(2),
  /** Statuses that are worth another try, of requests that may be repeated. */
  statuses: z.array(z.int().min(500).max(599)).max(20).default([502, 503, 504]),
  /** Retries may be this share of the requests of the last seconds, so that they cannot become a storm. */
  budget: z.number().min(0).max(1).default(0.2),
  /** Methods that may be sent twice. */
  methods: z.array(gatewayMethodSchema).max(7).default(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']),
  /** Pause before the first retry; each further one may take twice as long. Jittered. */
  pauseMs: milliseconds(0, 10_000).default(25),
})

export const timeoutsSchema = z.strictObject({
  connectMs: milliseconds(10, 60_000).default(3_000),
  /** Until the head of the answer, of each try. */
  responseMs: milliseconds(10, 3_600_000).default(30_000),
  /** Between two pieces of an answer, and of what a client sends. */
  idleMs: milliseconds(100, 86_400_000).default(300_000),
})

/** `set` replaces, `add` adds to what is there, `remove` takes away. Values of `set` may hold `${{ secrets.NAME }}`. */
export const headerPolicySchema = z.strictObject({
  set: z.record(headerName, headerValue).default({}),
  add: z.record(headerName, headerValue).default({}),
  remove: z.array(headerName).max(100).default([]),
})

export const rateSchema = z.strictObject({
  requests: z.int().min(1).max(1_000_000_000),
  seconds: z.int().min(1).max(86_400),
  /** For each key by itself, or for all callers of the route together. */
  per: z.enum(['key', 'route']).default('key'),
})

export const writeGatewayRouteSchema = z.strictObject({
  name: gatewayNameSchema,
  match: matchSchema,
  targets: z.array(targetSchema).min(1).max(20),
  /** How one of the upstreams of a target is chosen. */
  strategy: z.enum(strategyNames).default('power_of_two_choices'),
  affinity: affinitySchema.nullable().default(null),
  /** What upstreams are asked for instead of the path that matched; parameters and `*` are filled in. */
  rewrite: patternSchema.nullable().default(null),
  /** Passes on the Host of the request instead of that of the upstream. */
  preserveHost: z.boolean().default(false),
  /** What a caller needs. */
  permission: z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,40}:(read|write|admin)$/, 'expected part:right')
    .default('services:write'),
  rate: rateSchema.nullable().default(null),
  health: healthCheckSchema.nullable().default(null),
  breaker: breakerSchema.prefault({}),
  retries: retriesSchema.prefault({}),
  timeouts: timeoutsSchema.prefault({}),
  requestHeaders: headerPolicySchema.prefault({}),
  responseHeaders: headerPolicySchema.prefault({}),
  /** Largest body of a request, bytes. */
  bodyLimit: z
    .int()
    .min(0)
    .max(2 ** 40)
    .default(64 * 1_048_576),
  /** WebSockets and other upgrades. */
  upgrades: z.boolean().default(true),
  enabled: z.boolean().default(true),
})
export type WriteGatewayRoute = z.output<typeof writeGatewayRouteSchema>
