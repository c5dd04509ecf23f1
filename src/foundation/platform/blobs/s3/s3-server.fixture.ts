import { createHash, createHmac } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { collect } from '../blobs.fixture.ts'
import { escapeXml } from './s3-xml.ts'

interface StoredObject {
  readonly body: Buffer
  readonly at: Date
}

interface Upload {
  readonly key: string
  readonly at: Date
  readonly parts: Map<number, Buffer>
}

export interface ScriptedS3 {
  readonly url: string
  readonly objects: Map<string, StoredObject>
  readonly uploads: Map<string, Upload>
  /** `METHOD key?query` of every request that was let in. */
  readonly requests: string[]
  /** Answers the next requests with these statuses instead; `cut` breaks the connection in the middle of the body. */
  readonly faults: (number | 'cut' | 'complete-fails')[]
  close(): Promise<void>
}

export const credentials = {
  accessKeyId: 'AKIDTEST',
  secretAccessKey: 'secret/with+signs=',
  sessionToken: 'session+token',
}
export const bucket = 'test-bucket'
export const region = 'eu-test-1'
/** As small as S3 allows parts of real uploads to be is too large for tests; the server holds us to this instead. */
export const leastPartBytes = 262_144
const pageSize = 7

/**
 * The part of the S3 protocol that the store uses, with path-style addresses: every request must carry a valid signature
 * of version 4, which is computed here from the request as it arrived, and the hash of its body.
 */
export async function startScriptedS3(): Promise<ScriptedS3> {
  const state: Omit<ScriptedS3, 'url' | 'close'> = { objects: new Map(), uploads: new Map(), requests: [], faults: [] }
  const server = createServer((request, response) => {
    handle(state, request, response).catch((error) => response.destroy(error))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    ...state,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

type State = Omit<ScriptedS3, 'url' | 'close'>

async function handle(state: State, request: IncomingMessage, response: ServerResponse): Promise<unknown> {
  const body = await collect(request)
  const url = new URL(request.url!, `http://${request.headers.host}`)
  const refusal = checkSignature(request, url, body)
  if (refusal !== null) return fail(response, 403, refusal)
  const [, inBucket, ...rest] = url.pathname.split('/')
  if (inBucket !== bucket) return fail(response, 404, 'NoSuchBucket')
  const key = decodeURIComponent(rest.join('/'))
  state.requests.push(`${request.method} ${key}${url.search}`)
  const fault = state.faults[0]
  if (typeof fault === 'number') {
    state.faults.shift()
    return fail(response, fault, 'SlowDown')
  }
  const query = url.searchParams
  if (key === '') return query.has('uploads') ? listUploads(state, response) : listObjects(state, query, response)
  if (request.method === 'POST' && query.has('uploads')) return beginUpload(state, key, response)
  const uploadId = query.get('uploadId')
  if (uploadId !== null) return onUpload(state, { request, response, body, key, uploadId, query })
  return onObject(state, { request, response, body, key })
}

interface Call {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly body: Buffer
  readonly key: string
}

function onObject({ objects, faults }: State, { request, response, body, key }: Call): ServerResponse {
  if (request.method === 'PUT') {
    objects.set(key, { body, at: new Date() })
    return response.writeHead(200, { etag: etagOf(body) }).end()
  }
  if (request.method === 'DELETE') {
    objects.delete(key)
    return response.writeHead(204).end()
  }
  const found = objects.get(key)
  if (found === undefined)
    return request.method === 'HEAD' ? response.writeHead(404).end() : fail(response, 404, 'NoSuchKey')
  const headers = { 'last-modified': found.at.toUTCString(), etag: etagOf(found.body) }
  if (request.method === 'HEAD') {
    return response.writeHead(200, { ...headers, 'content-length': found.body.length }).end()
  }
  const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '')
  if (range === null) return response.writeHead(200, headers).end(found.body)
  const [start, last] = [Number(range[1]), Math.min(Number(range[2]), found.body.length - 1)]
  if (start >= found.body.length) return fail(response, 416, 'InvalidRange')
  const part = found.body.subarray(start, last + 1)
  const contentRange = `bytes ${start}-${last}/${found.body.length}`
  response.writeHead(206, { ...headers, 'content-range': contentRange, 'content-length': part.length })
  if (faults[0] === 'cut') {
    faults.shift()
    response.write(part.subarray(0, part.length / 2), () => response.destroy())
    return response
  }
  return response.end(part)
}

function beginUpload({ uploads }: State, key: string, response: ServerResponse): ServerResponse {
  const id = `upload&<${uploads.size + 1}>+/=`
  uploads.set(id, { key, at: new Date(), parts: new Map() })
  return xml(
    response,
    `<InitiateMultipartUploadResult><UploadId>${escapeXml(id)}</UploadId></InitiateMultipartUploadResult>`,
  )
}

function onUpload(
  { uploads, objects, faults }: State,
  { request, response, body, key, uploadId, query }: Call & { uploadId: string; query: URLSearchParams },
): ServerResponse {
  const upload = uploads.get(uploadId)
  if (upload === undefined || upload.key !== key) return fail(response, 404, 'NoSuchUpload')
  if (request.method === 'PUT') {
    upload.parts.set(Number(query.get('partNumber')), body)
    return response.writeHead(200, { etag: etagOf(body) }).end()
  }
  if (request.method === 'DELETE') {
    uploads.delete(uploadId)
    return response.writeHead(204).end()
  }
  if (faults[0] === 'complete-fails') {
    faults.shift()
    return xml(response, '<Error><Code>InternalError</Code><Message>We encountered an internal error</Message></Error>')
  }
  const parts = [...upload.parts].sort(([a], [b]) => a - b).map(([, part]) => part)
  const wanted = parts.map(
    (part, i) => `<Part><PartNumber>${i + 1}</PartNumber><ETag>${escapeXml(etagOf(part))}</ETag></Part>`,
  )
  if (body.toString() !== `<CompleteMultipartUpload>${wanted.join('')}</CompleteMultipartUpload>`) {
    return fail(response, 400, 'InvalidPart')
  }
  if (parts.slice(0, -1).some((part) => part.length < leastPartBytes)) return fail(response, 400, 'EntityTooSmall')
  uploads.delete(uploadId)
  objects.set(key, { body: Buffer.concat(parts), at: new Date() })
  return xml(response, '<CompleteMultipartUploadResult><ETag>"x"</ETag></CompleteMultipartUploadResult>')
}

function listObjects({ objects }: State, query: URLSearchParams, response: ServerResponse): ServerResponse {
  const prefix = query.get('prefix') ?? ''
  const delimiter = query.get('delimiter')
  const after = query.get('continuation-token') ?? ''
  const keys = [...objects.keys()].filter((key) => key.startsWith(prefix)).sort()
  const names = delimiter === null ? keys : [...new Set(keys.map((key) => cutAt(key, prefix, delimiter)))]
  const rest = names.filter((name) => name > after)
  const page = rest.slice(0, pageSize)
  const items = page.map((name) => {
    if (delimiter !== null) return `<CommonPrefixes><Prefix>${escapeXml(name)}</Prefix></CommonPrefixes>`
    const { at, body } = objects.get(name)!
    return `<Contents><Key>${escapeXml(name)}</Key><LastModified>${at.toISOString()}</LastModified><Size>${body.length}</Size></Contents>`
  })
  const more = rest.length > page.length
  const token = more ? `<NextContinuationToken>${escapeXml(page.at(-1)!)}</NextContinuationToken>` : ''
  return xml(
    response,
    `<ListBucketResult><IsTruncated>${more}</IsTruncated>${token}${items.join('')}</ListBucketResult>`,
  )
}

function listUploads({ uploads }: State, response: ServerResponse): ServerResponse {
  const items = [...uploads].map(
    ([id, { key, at }]) =>
      `<Upload><Key>${escapeXml(key)}</Key><UploadId>${escapeXml(id)}</UploadId><Initiated>${at.toISOString()}</Initiated></Upload>`,
  )
  return xml(response, `<ListMultipartUploadsResult>${items.join('')}</ListMultipartUploadsResult>`)
}

function cutAt(key: string, prefix: string, delimiter: string): string {
  return key.slice(0, key.indexOf(delimiter, prefix.length) + 1)
}

function etagOf(body: Buffer): string {
  return `"${createHash('md5').update(body).digest('hex')}"`
}

function xml(response: ServerResponse, text: string): ServerResponse {
  return response
    .writeHead(200, { 'content-type': 'application/xml' })
    .end(`<?xml version="1.0" encoding="UTF-8"?>\n${text}`)
}

function fail(response: ServerResponse, status: number, code: string): ServerResponse {
  return response.writeHead(status).end(`<Error><Code>${code}</Code><Message>${code} &amp; so on</Message></Error>`)
}

/** Why the request is refused, or null. AWS Signature Version 4, from its specification. */
function checkSignature(request: IncomingMessage, url: URL, body: Buffer): string | null {
  const given = /^AWS4-HMAC-SHA256 Credential=([^,]+), SignedHeaders=([^,]+), Signature=([0-9a-f]{64})$/.exec(
    request.headers.authorization ?? '',
  )
  if (given === null) return 'AccessDenied'
  const [, credential, signedHeaders, signature] = given
  const date = String(request.headers['x-amz-date'])
  const scope = `${date.slice(0, 8)}/${region}/s3/aws4_request`
  if (credential !== `${credentials.accessKeyId}/${scope}`) return 'InvalidAccessKeyId'
  if (request.headers['x-amz-security-token'] !== credentials.sessionToken) return 'InvalidToken'
  for (const name of ['host', 'x-amz-content-sha256', 'x-amz-date', 'x-amz-security-token']) {
    if (!signedHeaders!.split(';').includes(name)) return 'AccessDenied'
  }
  if (Math.abs(Date.now() - parseDate(date)) > 15 * 60_000) return 'RequestTimeTooSkewed'
  const bodyHash = createHash('sha256').update(body).digest('hex')
  if (request.headers['x-amz-content-sha256'] !== bodyHash) return 'XAmzContentSHA256Mismatch'
  const query = [...url.searchParams]
    .map((pair) => pair.map(encode).join('='))
    .sort()
    .join('&')
  const headers = signedHeaders!.split(';').map((name) => `${name}:${String(request.headers[name]).trim()}\n`)
  const path = url.pathname
    .split('/')
    .map((part) => encode(decodeURIComponent(part)))
    .join('/')
  const canonical = [request.method, path, query, headers.join(''), signedHeaders, bodyHash].join('\n')
  const text = ['AWS4-HMAC-SHA256', date, scope, createHash('sha256').update(canonical).digest('hex')].join('\n')
  const key = [date.slice(0, 8), region, 's3', 'aws4_request'].reduce<Buffer | string>(
    (secret, part) => createHmac('sha256', secret).update(part).digest(),
    `AWS4${credentials.secretAccessKey}`,
  )
  return createHmac('sha256', key).update(text).digest('hex') === signature ? null : 'SignatureDoesNotMatch'
}

function parseDate(text: string): number {
  return Date.parse(text.replace(/^(\d{4})(\d\d)(\d\dT\d\d)(\d\d)(\d\dZ)$/, '$1-$2-$3:$4:$5'))
}

function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
}
