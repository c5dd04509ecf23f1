import type { Readable, Writable } from 'node:stream'
import { StdioServerTransport, serveStdio } from '@modelcontextprotocol/server/stdio'
import { createFleetServer } from '../external-api/mcp/fleet-server.ts'
import type { FleetApi } from '../external-api/mcp/index.ts'
import { packageVersion } from './package-info.ts'

export type { FleetApi }

export interface ServeFleetOptions {
  readonly api: FleetApi
  readonly stdin: Readable
  readonly stdout: Writable
  /** Ends it. */
  readonly signal: AbortSignal
  readonly onError: (error: unknown) => void
}

/** The fleet as an MCP server on standard input and output, until the client closes it. */
export async function serveFleet({ api, stdin, stdout, signal, onError }: ServeFleetOptions): Promise<void> {
  const version = packageVersion()
  const transport = new StdioServerTransport(stdin, stdout, { maxBufferSize: mostMessageBytes })
  const handle = serveStdio(() => createFleetServer({ api, version, onError }), { transport, maxSubscriptions: 0 })
  const closed = Promise.withResolvers<void>()
  const { onclose } = transport
  transport.onclose = () => {
    onclose?.()
    closed.resolve()
  }
  const onAbort = () => closed.resolve()
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  try {
    await closed.promise
  } finally {
    signal.removeEventListener('abort', onAbort)
    await handle.close()
  }
}

const mostMessageBytes = 4 * 1_048_576
