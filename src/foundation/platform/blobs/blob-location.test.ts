import { expect, test } from 'vitest'
import { parseBlobLocation } from './blob-location.ts'

const s3 = { kind: 's3', bucket: 'my-bucket', prefix: '', region: 'us-east-1', endpoint: null, pathStyle: false }

test.each([
  ['postgres', { kind: 'postgres' }],
  [' postgres\n', { kind: 'postgres' }],
  ['folder:/var/blobs/', { kind: 'folder', folder: '/var/blobs' }],
  ['folder:///var/my blobs', { kind: 'folder', folder: '/var/my blobs' }],
  ['s3://my-bucket', s3],
  ['s3://my-bucket/', s3],
  ['s3://my-bucket/a/b', { ...s3, prefix: 'a/b/' }],
  ['s3://my-bucket/a/?region=eu-central-1', { ...s3, prefix: 'a/', region: 'eu-central-1' }],
  [
    's3://my-bucket?endpoint=https://minio.internal:9000',
    { ...s3, endpoint: 'https://minio.internal:9000', pathStyle: true },
  ],
  ['s3://my-bucket?endpoint=http%3A%2F%2Fh%2F&pathStyle=false', { ...s3, endpoint: 'http://h' }],
  ['s3://my-bucket?pathStyle=true', { ...s3, pathStyle: true }],
])('%j', (text, location) => {
  expect(parseBlobLocation(text)).toEqual(location)
})

test.each([
  ['', 'begins with none'],
  ['/var/blobs', 'begins with none'],
  ['https://my-bucket.s3.amazonaws.com', 'begins with none'],
  ['folder:blobs', 'not an absolute path'],
  ['folder:', 'not an absolute path'],
  ['s3://', 'not the name of a bucket'],
  ['s3://My_Bucket', 'not the name of a bucket'],
  ['s3://my..bucket', 'not the name of a bucket'],
  ['s3://my-bucket/../other', 'prefix'],
  ['s3://my-bucket/a//b', 'prefix'],
  ['s3://my-bucket/a b', 'prefix'],
  ['s3://my-bucket#x', 'not of the form'],
  ['s3://my-bucket?regoin=x', 'regoin is not a setting'],
  ['s3://my-bucket?region=a/b', 'not a region'],
  ['s3://my-bucket?pathStyle=yes', 'neither true nor false'],
  ['s3://my-bucket?endpoint=ftp://h', 'not an http'],
  ['s3://my-bucket?endpoint=https://h/path', 'has a path'],
  ['s3://my-bucket?endpoint=https://u:p@h', 'credentials'],
])('refuses %j: %s', (text, why) => {
  expect(() => parseBlobLocation(text)).toThrow(expect.objectContaining({ code: 'blob-location-invalid' }))
  expect(() => parseBlobLocation(text)).toThrow(why)
})

test('a password that stands where the bucket belongs is not repeated', () => {
  expect(() => parseBlobLocation('s3://key:hunter2@my-bucket')).toThrow(
    expect.objectContaining({ message: expect.not.stringContaining('hunter2') }),
  )
})
