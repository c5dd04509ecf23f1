import { blobErrors } from './blob-errors.ts'

/** Where blobs are kept, as a setting says it. Credentials are never part of it. */
export type BlobLocation =
  | { readonly kind: 'folder'; readonly folder: string }
  | { readonly kind: 'postgres' }
  | {
      readonly kind: 's3'
      readonly bucket: string
      /** Empty, or ending in a slash. */
      readonly prefix: string
      readonly region: string
      readonly endpoint: string | null
      readonly pathStyle: boolean
    }

const bucketPattern = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/
const regionPattern = /^[a-z0-9-]{1,40}$/
const prefixPattern = /^(?:[A-Za-z0-9_-][A-Za-z0-9._-]*\/)*$/
const s3Settings: ReadonlySet<string> = new Set(['region', 'endpoint', 'pathStyle'])

/**
 * Reads `postgres`, `folder:/absolute/path` or `s3://bucket/prefix?region=eu-central-1&endpoint=https://host&pathStyle=true`
 * (region: default us-east-1; path style: default with an endpoint). Throws `blob-location-invalid`. Pure.
 */
export function parseBlobLocation(text: string): BlobLocation {
  const setting = text.trim()
  if (setting === 'postgres') return { kind: 'postgres' }
  if (setting.startsWith('folder:')) return parseFolder(setting.slice('folder:'.length))
  if (setting.startsWith('s3://')) return parseS3(setting)
  throw invalid(setting, 'it begins with none of postgres, folder: and s3://')
}

function parseFolder(path: string): BlobLocation {
  const folder = path.replace(/^\/\/(?=\/)/, '')
  if (!folder.startsWith('/')) throw invalid(path, 'the folder is not an absolute path')
  return { kind: 'folder', folder: folder.length > 1 ? folder.replace(/\/+$/, '') : folder }
}

function parseS3(text: string): BlobLocation {
  const match = /^s3:\/\/([^/?#@]*)(?:\/([^?#]*))?(?:\?([^#]*))?$/.exec(text)
  if (match === null) throw invalid(text, 'it is not of the form s3://bucket/prefix?settings')
  const [, bucket = '', path = '', query = ''] = match
  const settings = new URLSearchParams(query)
  for (const name of settings.keys()) if (!s3Settings.has(name)) throw invalid(text, `${name} is not a setting of it`)
  const prefix = path === '' || path.endsWith('/') ? path : `${path}/`
  const region = settings.get('region') ?? 'us-east-1'
  const endpoint = settings.get('endpoint')
  const pathStyle = settings.get('pathStyle') ?? String(endpoint !== null)
  if (!bucketPattern.test(bucket) || bucket.includes('..')) throw invalid(text, `${bucket} is not the name of a bucket`)
  if (!prefixPattern.test(prefix)) throw invalid(text, 'the prefix may hold letters, digits and . _ - / only')
  if (!regionPattern.test(region)) throw invalid(text, `${region} is not a region`)
  if (pathStyle !== 'true' && pathStyle !== 'false') throw invalid(text, 'pathStyle is neither true nor false')
  return {
    kind: 's3',
    bucket,
    prefix,
    region,
    endpoint: endpoint === null ? null : originOf(endpoint, text),
    pathStyle: pathStyle === 'true',
  }
}

function originOf(endpoint: string, text: string): string {
  const url = URL.parse(endpoint)
  if (url === null || !/^https?:$/.test(url.protocol))
    throw invalid(text, 'the endpoint is not an http or https address')
  if (url.username !== '' || url.password !== '') throw invalid(text, 'credentials do not belong into the setting')
  if (url.pathname !== '/' || url.search !== '') throw invalid(text, 'the endpoint has a path')
  return url.origin
}

function invalid(text: string, why: string): Error {
  // A password that was written into it all the same is not repeated.
  const shown = text.replace(/\/\/[^/@]*@/, '//...@')
  return blobErrors['blob-location-invalid'](`${JSON.stringify(shown)} is not a place for blobs: ${why}`)
}
