import { blobErrors } from '../blob-errors.ts'
import type { S3Client } from './s3-client.ts'
import { escapeXml, readXml } from './s3-xml.ts'

/** S3 numbers the parts of an upload from 1 to 10,000. */
const mostParts = 10_000

/** Sends pieces as parts of one object, which appears when the last has arrived. An upload that breaks off is taken back. */
export async function uploadParts(
  client: S3Client,
  key: string,
  pieces: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const begun = await client.send({ method: 'POST', key, query: { uploads: '' }, signal })
  const [uploadId] = readXml(await begun.text(), 'UploadId')
  if (uploadId === undefined) throw blobErrors['blob-store-unavailable']('the store began an upload without naming it')
  try {
    const etags: string[] = []
    for await (const body of pieces) {
      if (etags.length === mostParts) throw blobErrors['blob-too-large'](`more than ${mostParts} parts`)
      const query = { partNumber: String(etags.length + 1), uploadId }
      const answer = await client.send({ method: 'PUT', key, query, body, signal })
      await answer.body?.cancel()
      etags.push(answer.headers.get('etag') ?? '')
    }
    await complete(client, key, uploadId, etags, signal)
  } catch (error) {
    // What cannot be taken back now is taken back with the remains.
    await client.send({ method: 'DELETE', key, query: { uploadId }, accept: [404] }).catch(() => undefined)
    throw error
  }
}

/** S3 may answer 200 and say in the body that it failed. */
async function complete(
  client: S3Client,
  key: string,
  uploadId: string,
  etags: readonly string[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const parts = etags.map((etag, i) => `<Part><PartNumber>${i + 1}</PartNumber><ETag>${escapeXml(etag)}</ETag></Part>`)
  const body = Buffer.from(`<CompleteMultipartUpload>${parts.join('')}</CompleteMultipartUpload>`)
  const answer = await client.send({ method: 'POST', key, query: { uploadId }, body, signal })
  const text = await answer.text()
  const [code] = text.includes('<Error>') ? readXml(text, 'Code') : []
  if (code !== undefined) {
    throw blobErrors['blob-store-unavailable'](`the store could not complete an upload: ${code}`, { details: { code } })
  }
}
