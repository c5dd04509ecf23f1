import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { AwsV4Signer } from 'aws4fetch'
import { messageOf } from '../../../kernel/errors.ts'
import { systemRandom } from '../../../kernel/random.ts'
import { blobErrors } from '../blob-errors.ts'
import type { S3Options } from './s3-options.ts'
import { readXml } from './s3-xml.ts'

export interface S3Request {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE' | 'HEAD'
  /** Without the prefix of the store; null for the bucket itself. */
  readonly key: string | null
  readonly query?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array
  readonly signal?: AbortSignal | undefined
  /** Failures that are an answer to the caller. */
  readonly accept?: readonly number[]
}

export interface S3Client {
  /** The answer to a request that succeeded, or has a status that the request accepts. */
  send(request: S3Request): Promise<Response>
}

const emptyHash = createHash('sha256').digest('hex')
/** Answers that say "not now". */
const passing: ReadonlySet<number> = new Set([408, 429, 500, 502, 503, 504])
/** Codes of a refusal that a later try will not change. */
const refusals: ReadonlySet<number> = new Set([301, 307, 400, 401, 403, 404, 405, 411, 412, 501])

/** Signs each try afresh (a signature grows old), and tries again what may pass. */
export function createS3Client(options: S3Options): S3Client {
  const { tries = 5, pauseMs = 100, timeoutMs = 60_000, random = systemRandom } = options
  const fetcher = options.fetch ?? fetch
  const signingKeys = new Map<string, ArrayBuffer>()

  async function attempt({ method, key, query = {}, headers = {}, body, signal }: S3Request): Promise<Response> {
    const url = urlOf(options, key)
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value)
    const signer = new AwsV4Signer({
      ...options.credentials,
      service: 's3',
      region: options.region,
      cache: signingKeys,
      method,
      url: url.href,
      headers: {
        ...headers,
        'x-amz-content-sha256': body ? createHash('sha256').update(body).digest('hex') : emptyHash,
      },
    })
    const signed = await signer.sign()
    const timeout = AbortSignal.timeout(timeoutMs)
    return fetcher(signed.url, {
      method,
      headers: signed.headers,
      body: (body ?? null) as NonNullable<RequestInit['body']> | null,
      redirect: 'manual',
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    })
  }

  return {
    async send(request) {
      for (let count = 1; ; count++) {
        request.signal?.throwIfAborted()
        let problem: unknown
        try {
          const response = await attempt(request)
          if (response.ok || request.accept?.includes(response.status)) return response
          problem = await explain(response, options.bucket)
          if (!passing.has(response.status)) throw problem
        } catch (error) {
          request.signal?.throwIfAborted()
          if (error === problem) throw error
          problem = blobErrors['blob-store-unavailable'](`${options.bucket} cannot be reached: ${causeOf(error)}`, {
            cause: error,
          })
        }
        if (count >= tries) throw problem
        await sleep(pauseMs * 2 ** (count - 1) * (0.5 + random.next()), undefined, { signal: request.signal })
      }
    },
  }
}

function urlOf({ bucket, prefix, region, endpoint, pathStyle }: S3Options, key: string | null): URL {
  const url = new URL(endpoint ?? `https://s3.${region}.amazonaws.com`)
  const path = key === null ? '' : `${prefix}${key}`
  if (pathStyle) url.pathname = `/${bucket}/${path}`
  else {
    url.hostname = `${bucket}.${url.hostname}`
    url.pathname = `/${path}`
  }
  return url
}

async function explain(response: Response, bucket: string): Promise<Error> {
  const text = await response.text().catch(() => '')
  const code = readXml(text, 'Code')[0] ?? String(response.status)
  const message = readXml(text, 'Message')[0] ?? response.statusText
  const details = { status: response.status, s3Code: code }
  const name = refusals.has(response.status) ? 'blob-store-refused' : 'blob-store-unavailable'
  return blobErrors[name](`${bucket} answered ${code}: ${message}`, { details })
}

/** fetch hides the reason in the cause. */
function causeOf(error: unknown): string {
  const { cause } = error as Error
  return cause === undefined ? messageOf(error) : messageOf(cause)
}
