import { defineErrors } from '../../kernel/errors.ts'

export const blobErrors = defineErrors({
  'blob-not-found': {
    kind: 'not-found',
    retry: 'never',
    when: 'a stored file is read that is not there',
    next: 'check that the blob store is the one it was written to; a file that was removed by retention does not come back',
  },
  'blob-key-invalid': {
    kind: 'input',
    retry: 'never',
    when: 'the key of a blob is not `tenant/...` made of letters, digits, `.`, `_` and `-`',
    next: 'report this if you did not write the code',
  },
  'blob-too-large': {
    kind: 'limit',
    retry: 'never',
    when: 'content is larger than the limit for it',
    next: 'make it smaller, or raise `limits` in leanvibe.yaml',
  },
  'blob-range-invalid': {
    kind: 'input',
    retry: 'never',
    when: 'a range of bytes begins after the end of the content, or ends before it begins',
    next: 'ask for a range within the size of the content',
  },
  'blob-corrupt': {
    kind: 'internal',
    retry: 'never',
    when: 'stored content is shorter than, or differs from, what was written, or was replaced while it was read',
    next: 'read it again; if it lasts, check the disk or the bucket and restore from a backup',
  },
  'blob-store-full': {
    kind: 'unavailable',
    retry: 'later',
    when: 'the disk that holds the blobs is full',
    next: 'free some space, then try again',
  },
  'blob-store-unavailable': {
    kind: 'unavailable',
    retry: 'later',
    when: 'the blob store does not answer, or answers with a failure of its own',
    next: 'check that the folder is writable or that the bucket can be reached, then try again',
  },
  'blob-store-refused': {
    kind: 'unavailable',
    retry: 'never',
    when: 'the bucket does not exist or does not accept the credentials',
    next: 'check bucket, region and credentials in the setting of the blob store',
  },
  'blob-location-invalid': {
    kind: 'input',
    retry: 'never',
    when: 'the setting that says where blobs are kept cannot be understood',
    next: 'write `postgres`, `folder:/absolute/path`, or `s3://bucket/prefix?region=...&endpoint=https://...&pathStyle=true`',
  },
})
