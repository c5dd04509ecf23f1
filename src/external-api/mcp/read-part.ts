/** Part of a stream of bytes: at most `limit` from `offset` on. What follows is not read. */
export async function readPart(body: AsyncIterable<Uint8Array>, offset: number, limit: number): Promise<Buffer> {
  const parts: Uint8Array[] = []
  let at = 0
  for await (const chunk of body) {
    const from = Math.max(0, offset - at)
    const to = Math.min(chunk.length, offset + limit - at)
    if (from < to) parts.push(chunk.subarray(from, to))
    at += chunk.length
    if (at >= offset + limit) break
  }
  return Buffer.concat(parts)
}

export function isText(mediaType: string): boolean {
  return /^text\/|[/+](json|xml|yaml|x-ndjson|javascript|x-diff|x-patch|markdown)\b/.test(mediaType)
}
