import { Worker } from 'node:worker_threads'
import pg from 'pg'
import { messageOf } from '../../../kernel/errors.ts'
import { databaseErrors } from '../database-errors.ts'
import { decodeTypes } from '../decode-values.ts'
import { createSession, type Session } from '../session.ts'
import { pgliteErrors } from './pglite-errors.ts'
import type { FromWorker, ToWorker, WorkerData } from './worker-protocol.ts'
import { WorkerStream } from './worker-stream.ts'

/** A running PGlite worker with the pg client connected to it. */
export interface PgliteServer {
  readonly client: pg.Client
  readonly session: Session
  /** The data folder as an uncompressed tar. */
  dump(): Promise<Uint8Array>
  /** Shuts PostgreSQL down properly and ends the worker. */
  close(): Promise<void>
  /** Ends the worker as kill -9 would. */
  terminate(): Promise<void>
}

/** The worker is written in the language this file is in: TypeScript in development, JavaScript when built. */
const workerFile = new URL(`./pglite-worker${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url)

/** Starts the worker and connects. The client emits `end` when the worker dies. */
export async function startPgliteServer(data: WorkerData): Promise<PgliteServer> {
  const worker = new Worker(workerFile, {
    workerData: data,
    execArgv: [],
    name: 'pglite',
    stdout: false,
    stderr: false,
  })
  const stream = new WorkerStream((bytes) => post(bytes, [bytes.buffer]))
  // Until the client is connected, `ready` is what tells of a failure.
  stream.on('error', () => undefined)
  const ready = Promise.withResolvers<void>()
  const exited = Promise.withResolvers<void>()
  let dumped: PromiseWithResolvers<Uint8Array> | undefined

  function post(message: ToWorker, transfer: ArrayBuffer[] = []): void {
    worker.postMessage(message, transfer)
  }

  function fail(error: Error): void {
    ready.reject(error)
    dumped?.reject(error)
    stream.destroy(error)
  }

  worker.on('message', (message: FromWorker) => {
    if (message instanceof Uint8Array) {
      stream.receive(Buffer.from(message.buffer, message.byteOffset, message.byteLength))
    } else if (message.event === 'ready') ready.resolve()
    else if (message.event === 'dumped') dumped?.resolve(message.tar)
    else if (message.event === 'failed') {
      fail(failureOf(message.message))
      void worker.terminate()
    }
  })
  worker.on('error', (cause) => fail(pgliteErrors['embedded-database-failed'](messageOf(cause), { cause })))
  worker.on('exit', () => {
    fail(pgliteErrors['embedded-database-failed']('the embedded database has ended'))
    exited.resolve()
  })

  await ready.promise
  const client = new pg.Client({
    stream: () => stream,
    types: decodeTypes,
    pipeline: true,
    user: 'postgres',
    password: 'none',
    database: 'postgres',
  } as unknown as pg.ClientConfig)
  const session = createSession(client)
  await client.connect()

  return {
    client,
    session,
    dump() {
      dumped = Promise.withResolvers()
      post({ request: 'dump' })
      return dumped.promise
    },
    async close() {
      if (session.failure()) return
      await client.end()
      post({ request: 'close' })
      await exited.promise
    },
    async terminate() {
      await worker.terminate()
    },
  }
}

function failureOf(message: string): Error {
  return /No space left on device|Disk quota exceeded/.test(message)
    ? databaseErrors['database-disk-full'](`the embedded database stopped: ${message}`)
    : pgliteErrors['embedded-database-failed'](`the embedded database stopped: ${message}`)
}
