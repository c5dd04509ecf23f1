import { asId, type TenantId } from '../../kernel/ids.ts'
import { blobErrors } from './blob-errors.ts'

export interface BlobKey {
  readonly tenant: TenantId
  /** What follows `tenant/`. */
  readonly path: string
}

const longest = 512
const tenantPattern = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/
const segmentPattern = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$/

/** Splits a key at its tenant; throws `blob-key-invalid`. No segment begins with a dot, so none can climb or hide. */
export function parseBlobKey(key: string): BlobKey {
  const [tenant = '', ...segments] = key.split('/')
  if (
    key.length > longest ||
    !tenantPattern.test(tenant) ||
    segments.length === 0 ||
    !segments.every((segment) => segmentPattern.test(segment))
  ) {
    throw blobErrors['blob-key-invalid'](`${JSON.stringify(key.slice(0, 200))} is not a key of a blob`)
  }
  return { tenant: asId<TenantId>(tenant), path: segments.join('/') }
}

/** Like a key, but may end anywhere after `tenant/`. */
export function parseBlobPrefix(prefix: string): BlobKey {
  const { tenant, path } = parseBlobKey(`${prefix}x`)
  if (!prefix.includes('/'))
    throw blobErrors['blob-key-invalid'](`the prefix ${JSON.stringify(prefix)} names no tenant`)
  return { tenant, path: path.slice(0, -1) }
}
