import { createReadStream } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { isAppError } from '../../foundation/kernel/errors.ts'
import type { ArtifactSink } from '../../orchestration/runners/artifact-sink.ts'
import type { LogChunk, LogSink } from '../../orchestration/runners/log-sink.ts'
import type { KeepNotes } from '../../orchestration/tool-calls/tool-call-notes.ts'
import type { RunnerServer } from './runner-server.ts'
import { sendFile } from './send-file.ts'

/** Bytes of output in one call, at most: the server takes 24 MiB with all that is around them. */
const callBytes = 8 * 1_048_576
const callChunks = 5_000

/** What attempts print, sent to the servers that were joined. */
export function createJoinedLogs(server: RunnerServer, runner: () => string): LogSink {
  return {
    async append(chunks) {
      for (const batch of batchesOf(chunks)) {
        const wire = batch.map(({ taskId, fence, seq, stream, bytes }) => ({
          ...{ taskId, fence, seq, stream },
          bytes: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64'),
        }))
        await server.appendLogs(runner(), wire)
      }
    },
  }
}

/** What agents tell of their tool calls, sent to the servers that were joined. */
export function createJoinedToolCalls(server: RunnerServer, runner: () => string): KeepNotes {
  return (notes) =>
    server.appendToolCalls(
      runner(),
      notes.map(({ tenant: _tenant, runId: _run, step: _step, item: _item, attempt: _attempt, ...note }) => note),
    )
}

function* batchesOf(chunks: readonly LogChunk[]): Generator<readonly LogChunk[]> {
  let batch: LogChunk[] = []
  let size = 0
  for (const chunk of chunks) {
    if (batch.length === callChunks || (batch.length > 0 && size + chunk.bytes.length > callBytes)) {
      yield batch
      batch = []
      size = 0
    }
    batch.push(chunk)
    size += chunk.bytes.length
  }
  if (batch.length > 0) yield batch
}

/** With the pauses between them about 16 s. */
const tries = 8

/** The files of attempts, sent in pieces. `fenceOf`: the lease under which a task is worked on here. */
export function createJoinedArtifacts(
  server: RunnerServer,
  runner: () => string,
  fenceOf: (taskId: string) => number | undefined,
): ArtifactSink {
  return {
    async store({ taskId }, content, signal) {
      const fence = fenceOf(taskId)
      if (fence === undefined) throw new Error(`no lease of ${taskId} is held here`)
      for (let attempt = 1; ; attempt++) {
        try {
          const source = 'path' in content ? createReadStream(content.path) : wholeOf(content.data)
          const file = await sendFile(server, { runner: runner(), fence }, source, signal)
          return await server.finishArtifact(runner(), fence, file, signal)
        } catch (error) {
          // The work is done, and would be lost with its files: a server that is away is worth some patience.
          if (attempt >= tries || !isAppError(error) || error.kind !== 'unavailable') throw error
          await delay(Math.min(5_000, 100 * 2 ** attempt), undefined, { signal })
        }
      }
    },
  }
}

async function* wholeOf(data: Uint8Array): AsyncGenerator<Uint8Array> {
  yield data
}
