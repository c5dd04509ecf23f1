/** Runs PGlite off the main thread: wire protocol bytes in, wire protocol bytes out, in order. */
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { parentPort, workerData } from 'node:worker_threads'
import { gunzip } from 'node:zlib'
import { PGlite } from '@electric-sql/pglite'
import { byIndex } from '../plan-settings.ts'
import type { FromWorker, ToWorker, WorkerData } from './worker-protocol.ts'

const port = parentPort!
const { dataDir, image, bufferMiB } = workerData as WorkerData

const settings = {
  plan_cache_mode: 'force_custom_plan',
  timezone: 'UTC',
  datestyle: 'ISO',
  wal_level: 'minimal',
  max_wal_senders: '0',
  jit: 'off',
  shared_buffers: `${bufferMiB}MB`,
  ...byIndex,
}

let lastPanic: string | undefined

try {
  const database = await PGlite.create({
    ...(dataDir === undefined ? {} : { dataDir }),
    ...(image === undefined ? {} : { loadDataDir: new Blob([await promisify(gunzip)(await readFile(image))]) }),
    onStderr: watchLog,
    // Small segments, so that a new data folder and a checkpoint have little to write.
    initDbStartParams: ['--wal-segsize=4'],
    startParams: [
      ...PGlite.defaultStartParams,
      ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    ],
  })
  port.on('message', (message: ToWorker) => handle(database, message).catch(fail))
  send({ event: 'ready' })
} catch (error) {
  fail(error)
}

async function handle(database: PGlite, message: ToWorker): Promise<void> {
  if (message instanceof Uint8Array) return run(database, message)
  if (message.request === 'close') {
    await database.close()
    send({ event: 'closed' })
    port.close()
    return
  }
  const tar = new Uint8Array(await (await database.dumpDataDir('none')).arrayBuffer())
  send({ event: 'dumped', tar }, [tar.buffer])
}

function run(database: PGlite, message: Uint8Array): Promise<void> {
  const answers: Uint8Array[] = []
  // The bytes lie in memory that PostgreSQL reuses, so they are copied.
  return database
    .execProtocolRawStream(message, { syncToFs: false, onRawData: (bytes) => void answers.push(bytes.slice()) })
    .then(() => {
      const bytes = join(answers)
      send(bytes, [bytes.buffer])
    })
}

function join(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((size, part) => size + part.length, 0))
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}

function send(message: FromWorker, transfer: ArrayBuffer[] = []): void {
  port.postMessage(message, transfer)
}

/** After a PANIC PGlite would call the aborted program for ever: the main thread, told here, ends this one. */
function watchLog(line: string): boolean {
  if (/ (?:PANIC|FATAL): /.test(line)) lastPanic = line.replace(/^.* (?=(?:PANIC|FATAL): )/, '')
  if (line.startsWith('Aborted(')) fail(new Error(lastPanic ?? line))
  return false
}

/** A failure here is one of PostgreSQL as a whole, not of a statement: the thread ends and a new one recovers. */
function fail(error: unknown): void {
  const message = error instanceof Error ? error.message : String(error)
  send({ event: 'failed', message: lastPanic ?? message })
  port.close()
}
