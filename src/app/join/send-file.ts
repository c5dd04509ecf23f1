import { createHash } from 'node:crypto'
import { type IdSource, systemIds } from '../../foundation/kernel/ids.ts'
import { uploadPieceBytes } from '../../orchestration/remote-runners/remote-runners-contract.ts'
import type { RunnerServer, SentFile } from './runner-server.ts'

/** Sends bytes in pieces, as they come; the caller says what becomes of the file. */
export async function sendFile(
  server: RunnerServer,
  { runner, fence }: { readonly runner: string; readonly fence: number },
  content: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
  ids: IdSource = systemIds,
): Promise<SentFile> {
  const upload = ids.next<string>('up').replace('_', '')
  const hash = createHash('sha256')
  let pieces = 0
  let held: Uint8Array[] = []
  let size = 0
  const send = async () => {
    const bytes = Buffer.concat(held)
    held = []
    size = 0
    await server.sendPiece(runner, fence, { upload, piece: pieces }, bytes, signal)
    pieces += 1
  }
  for await (const chunk of content) {
    hash.update(chunk)
    for (let from = 0; from < chunk.length; ) {
      const part = chunk.subarray(from, from + uploadPieceBytes - size)
      held.push(part)
      size += part.length
      from += part.length
      if (size === uploadPieceBytes) await send()
    }
  }
  if (size > 0) await send()
  return { upload, pieces, sha256: hash.digest('hex') }
}
