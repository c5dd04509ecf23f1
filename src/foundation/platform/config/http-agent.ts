import { z } from '../../kernel/schema.ts'
import { durationSchema, sizeSchema } from './config-units.ts'

const secretName = z.string().regex(/^[A-Za-z_]\w{0,99}$/, 'expected the name of a secret')
const headerName = z.string().regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$/, 'expected the name of a header')
const address = z
  .string()
  .regex(/^(?:https?:\/\/|\/)[^\s]{0,2000}$/, 'expected an http URL, or a path of the same server')
/** A JSON pointer (`/result/text`), or one `${{ expression }}`. */
const picker = z
  .string()
  .max(2_000)
  .refine((text) => text === '' || text.startsWith('/') || /^\$\{\{.*\}\}$/s.test(text), {
    message: 'expected a JSON pointer such as /result/text, or ${{ expression }}',
  })
const condition = z.string().min(1).max(2_000)

/** Settings of agents that are services spoken to over HTTP. */
export const httpAgentSchema = z.strictObject({
  /** Where a task is sent. */
  url: z.string().regex(/^https?:\/\/[^\s]{1,2000}$/, 'expected an http or https URL'),
  method: z.enum(['POST', 'PUT']).optional(),
  /** Values may hold `${{ }}`, secrets (`${{ secrets.NAME }}`) included. */
  headers: z.record(headerName, z.string().max(8_000)).optional(),
  /** What the service knows us by; the names are those of `secrets`. */
  auth: z
    .union(
      [
        z.strictObject({ bearer: secretName }),
        z.strictObject({ basic: secretName }),
        z.strictObject({ header: headerName, secret: secretName }),
      ],
      'expected {bearer: SECRET}, {basic: SECRET} or {header: NAME, secret: SECRET}',
    )
    .optional(),
  /** JSON with `${{ }}` in its strings. Default: task, prompt, depth, config, and the callback where there is one. */
  body: z.json().optional(),
  /** Where the words are in the answer. Default: the whole body. */
  output: picker.optional(),
  /** Whether an answer is a success, beside its status. */
  success: condition.optional(),
  /** Where a failure says why. */
  message: picker.optional(),
  /** Where the answer tells what was spent. */
  usage: z
    .strictObject({
      inputTokens: picker.optional(),
      outputTokens: picker.optional(),
      microUsd: picker.optional(),
      model: picker.optional(),
    })
    .optional(),
  /** Statuses that are a success; default: 200 to 299. */
  ok: z.array(z.int().min(200).max(399)).min(1).optional(),
  /** When a request is sent again within the attempt; what the service says in Retry-After goes before `wait`. */
  retry: z
    .strictObject({
      statuses: z.array(z.int().min(400).max(599)).optional(),
      attempts: z.int().min(1).max(100).optional(),
      wait: durationSchema.optional(),
      longest: durationSchema.optional(),
    })
    .optional(),
  /** For one request and its answer. Default 60s. */
  request: durationSchema.optional(),
  /** An answer may have so many bytes. Default 4MB. */
  largest: sizeSchema.optional(),
  /** Networks that may be spoken to although they are not public, such as 127.0.0.1/32: nothing else that is private. */
  allow: z
    .array(z.union([z.cidrv4(), z.cidrv6(), z.ipv4(), z.ipv6()], 'expected a network such as 10.1.0.0/16'))
    .optional(),
  /** The service answers at once and tells the rest at an address of ours. A URL: how it reaches this server. */
  callback: z.union([z.boolean(), z.string().regex(/^https?:\/\/[^\s]{1,500}$/, 'expected a URL')]).optional(),
  /** The service answers at once and is asked how far it is. */
  poll: z
    .strictObject({
      /** Holds `${{ }}`: `answer` is what the service said first. */
      url: z.union([address, picker]),
      every: durationSchema.optional(),
      /** Whether it is done, and whether it has failed. */
      done: condition,
      failed: condition.optional(),
      /** Where it says how far it is. */
      note: picker.optional(),
    })
    .optional(),
  /** How it is told to stop. */
  cancel: z
    .strictObject({
      url: z.union([address, picker]),
      method: z.enum(['POST', 'DELETE']).optional(),
      body: z.json().optional(),
    })
    .optional(),
  /** Work that the service goes on with while we are away is taken up again. Default true. */
  resume: z.boolean().optional(),
})
type HttpAgentFile = z.output<typeof httpAgentSchema>

export type HttpAuth =
  | { readonly bearer: string }
  | { readonly basic: string }
  | { readonly header: string; readonly secret: string }

export interface HttpAgentSettings {
  readonly kind: 'http'
  readonly url: string
  readonly method: 'POST' | 'PUT'
  readonly headers: Readonly<Record<string, string>>
  readonly auth: HttpAuth | null
  /** Null: the usual one. */
  readonly body: HttpAgentFile['body'] | null
  readonly output: string
  readonly success: string | null
  readonly message: string | null
  readonly usage: Readonly<Partial<Record<'inputTokens' | 'outputTokens' | 'microUsd' | 'model', string>>>
  /** Null: 200 to 299. */
  readonly ok: readonly number[] | null
  readonly retry: {
    readonly statuses: readonly number[]
    readonly attempts: number
    readonly waitMs: number
    readonly longestMs: number
  }
  readonly requestMs: number
  readonly largestBytes: number
  readonly allow: readonly string[]
  /** Null: none. Empty: at the address of this server. */
  readonly callback: string | null
  readonly poll: {
    readonly url: string
    readonly everyMs: number
    readonly done: string
    readonly failed: string | null
    readonly note: string | null
  } | null
  readonly cancel: {
    readonly url: string
    readonly method: 'POST' | 'DELETE'
    readonly body: HttpAgentFile['body'] | null
  } | null
  readonly resume: boolean
  /** Names of secrets that requests carry. */
  readonly secrets: readonly string[]
}

export function shapeHttpAgent(file: HttpAgentFile): HttpAgentSettings {
  const { auth = null, retry = {}, poll, cancel, callback = false } = file
  const inHeaders = Object.values(file.headers ?? {}).flatMap((value) =>
    [...value.matchAll(/\bsecrets\.([A-Za-z_]\w*)/g)].map(([, name]) => name!),
  )
  return {
    kind: 'http',
    url: file.url,
    method: file.method ?? 'POST',
    headers: file.headers ?? {},
    auth,
    body: file.body ?? null,
    output: file.output ?? '',
    success: file.success ?? null,
    message: file.message ?? null,
    usage: Object.fromEntries(Object.entries(file.usage ?? {}).filter(([, place]) => place !== undefined)),
    ok: file.ok ?? null,
    retry: {
      statuses: retry.statuses ?? [408, 425, 429, 500, 502, 503, 504],
      attempts: retry.attempts ?? 3,
      waitMs: retry.wait ?? 1_000,
      longestMs: retry.longest ?? 300_000,
    },
    requestMs: file.request ?? 60_000,
    largestBytes: file.largest ?? 4 * 1_048_576,
    allow: file.allow ?? [],
    callback: callback === false ? null : callback === true ? '' : callback.replace(/\/+$/, ''),
    poll:
      poll === undefined
        ? null
        : {
            ...{ url: poll.url, everyMs: Math.max(poll.every ?? 5_000, 100), done: poll.done },
            ...{ failed: poll.failed ?? null, note: poll.note ?? null },
          },
    cancel:
      cancel === undefined ? null : { url: cancel.url, method: cancel.method ?? 'DELETE', body: cancel.body ?? null },
    resume: file.resume ?? true,
    secrets: [...new Set([...inHeaders, ...secretsOf(auth)])],
  }
}

function secretsOf(auth: HttpAuth | null): readonly string[] {
  if (auth === null) return []
  return ['bearer' in auth ? auth.bearer : 'basic' in auth ? auth.basic : auth.secret]
}
