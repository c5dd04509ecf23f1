import { setTimeout as delay } from 'node:timers/promises'
import { createStreams } from '../../src/external-api/streams/index.ts'
import { replayStream, tailStream } from '../../src/external-api/streams/streams-contract.ts'
import type { TenantId } from '../../src/foundation/kernel/ids.ts'
import { bearerTokenOf } from '../../src/foundation/platform/http/bearer-token.ts'
import { createServer } from '../../src/foundation/platform/http/server.ts'
import { appendEvents } from '../../src/foundation/runtime/event-log.ts'
import { EventReader } from '../../src/foundation/runtime/event-reader.ts'
import { startTicker } from '../../src/foundation/runtime/ticker.ts'
import { serveCalls, sharedClock } from '../harness/worker-process.ts'
import { openBenchDatabase } from './platform.ts'

export interface StreamsListening {
  readonly port: number
  readonly tail: string
  readonly replay: string
  readonly token: string
}

const tenant = 'default' as TenantId
const token = 'lvt_bench'
const onError = (error: unknown) => console.error('leanvibe:', error)
const database = await openBenchDatabase(process.env.BENCH_DATABASE_URL!, { migrate: true })
const reader = await EventReader.start(database, { onError })
const ticker = startTicker(database, { onTick: () => reader.poke(), onError })
const { routes, close } = createStreams({ database, feed: reader, retention: { keepMs: 1, resumeMs: 1 } })
const owner = { id: 'bench', tenant, permissions: ['*'] }
const server = createServer({ routes, authenticate: bearerTokenOf(token, owner), recheckMs: 600_000 })

/** Appends events about tasks, as the platform would, `batch` in a transaction. */
async function append(count: number, batch: number): Promise<void> {
  for (let done = 0; done < count; done += batch) {
    const sentAt = String(sharedClock())
    const events = Array.from({ length: Math.min(batch, count - done) }, (_, n) => ({
      tenant,
      type: 'task.succeeded',
      subject: { kind: 'task', id: `tsk_${done + n}`, rev: 1 },
      runId: 'run_bench',
      at: database.clock.now(),
      data: { step: 'build', attempt: 1, agent: 'agt_bench', sentAt },
    }))
    await database.forTenant(tenant).write((tx) => appendEvents(tx, events))
    ticker.poke()
  }
}

serveCalls({
  start: async () => null,
  listen: async (): Promise<StreamsListening> => {
    const { port } = await server.listen()
    return { port, tail: tailStream.path, replay: replayStream.path, token }
  },
  /** The moment of the first event. */
  burst: async ({ count, batch }: { count: number; batch: number }) => {
    const startedAt = String(sharedClock())
    await append(count, batch)
    return startedAt
  },
  paced: async ({ count, perSecond }: { count: number; perSecond: number }) => {
    for (let n = 0; n < count; n++) {
      await append(1, 1)
      await delay(1_000 / perSecond)
    }
  },
  stop: async () => {
    await server.close({ graceMs: 200 })
    close()
    await ticker.stop()
    await reader[Symbol.asyncDispose]()
    await database.close()
  },
})
