import type { Random } from '../../../kernel/random.ts'

export interface S3Credentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
}

export interface S3Options {
  readonly bucket: string
  /** What keys in the bucket begin with: empty, or ending in a slash. */
  readonly prefix: string
  readonly region: string
  /** Origin of a server other than AWS, such as `https://minio.internal:9000`. Null: AWS. */
  readonly endpoint: string | null
  /** The bucket as the first segment of the path instead of in the host name. */
  readonly pathStyle: boolean
  readonly credentials: S3Credentials
  /** Larger content goes up in parts of this size. Default 8 MiB; S3 takes no parts under 5 MiB. */
  readonly partBytes?: number
  /** Tries of one request, with growing pauses between them. Default 5. */
  readonly tries?: number
  /** The first pause, ms. Default 100. */
  readonly pauseMs?: number
  /** A request that has no answer by then has failed, ms. Default 60,000. */
  readonly timeoutMs?: number
  readonly fetch?: typeof fetch
  readonly random?: Random
}
