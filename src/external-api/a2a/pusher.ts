import { A2A_CONTENT_TYPE, StreamResponse } from '@a2a-js/sdk'
import { failpoint } from '../../foundation/kernel/failpoints.ts'
import type { IdSource, TenantId } from '../../foundation/kernel/ids.ts'
import type { Database, Tx } from '../../foundation/platform/database/database.ts'
import { startConsumer } from '../../foundation/runtime/consumer.ts'
import { claimCursor } from '../../foundation/runtime/cursors.ts'
import { appendEvents, type LoggedEvent } from '../../foundation/runtime/event-log.ts'
import { createLoop, type Loop } from '../../foundation/runtime/loop.ts'
import type { Sender } from '../webhooks/outbound/send.ts'
import type { SigningKeys } from '../webhooks/signing-keys.ts'
import type { OfferService } from './offer-service.ts'
import { openPush, pushHeaders } from './push-seal.ts'
import {
  type ClaimedPush,
  claimPushes,
  endPush,
  insertPushes,
  postponePush,
  pushConfigsOf,
  pushConfigsOfRuns,
} from './push-store.ts'
import { toTask } from './task-view.ts'
import { findTasks } from './tasks-store.ts'

export interface PusherOptions {
  readonly database: Database
  readonly service: OfferService
  readonly keys: SigningKeys
  /** That of webhooks: guarded addresses, no redirects, bounded time. */
  readonly sender: Sender
  /** The pause after the n-th failure, ms: that of webhooks. */
  readonly backoffMs: (failed: number, askedMs: number | null) => number
  readonly ids: IdSource
  readonly baseUrl: () => string
  /** Whether anything may be sent for a tenant. */
  readonly isOpen: (tenant: TenantId) => Promise<boolean>
  readonly onCommit: () => void
  readonly onError: (error: unknown) => void
}

const giveUpAfterMs = 24 * 3_600_000
/** After so long without a word a push is taken from whoever sends it: longer than the sender takes at most. */
const leaseMs = 30_000
const most = 16
const closedMs = 60_000
/** Events after which a task looks different to those who gave it. */
const wanted = new Set([
  ...['run.running', 'run.succeeded', 'run.failed', 'run.cancelled'],
  ...['question.pending', 'approval.pending'],
])

const readerName = 'a2a-pushes'

/**
 * Makes the place in the log from which callers are told, where there is none yet. A reader that came first after a task had
 * begun would begin behind its events, and they would be lost.
 */
export async function markPushesFromHere(database: Database): Promise<void> {
  await database.asSystem('peer-pushes').write((tx) => claimCursor(tx, readerName, database.clock.now()))
}

/** Tells callers of their tasks: at least once, in order, as often as it takes within a day. */
export function startPusher(options: PusherOptions): { stop(): Promise<void> } {
  const { database, onError } = options
  const system = database.asSystem('peer-pushes')
  const sending = new Set<Promise<void>>()
  const stopping = new AbortController()
  const timers = new Set<NodeJS.Timeout>()
  const pokeIn = (ms: number) => {
    const timer = setTimeout(() => {
      timers.delete(timer)
      loop.poke()
    }, ms)
    timers.add(timer)
  }
  const loop: Loop = createLoop({
    pollMs: 1_000,
    idle: { pulse: database.pulse, pollMs: 10_000 },
    onError,
    step: async () => {
      if (sending.size >= most) return false
      const now = database.clock.now()
      const leaseUntil = new Date(now.getTime() + leaseMs)
      const claimed = await system.write((tx) => claimPushes(tx, { now, leaseUntil, limit: most - sending.size }))
      if (claimed.length > 0) failpoint('push.claimed')
      for (const push of claimed) {
        const work: Promise<void> = deliver(options, push, stopping.signal)
          .then((waitMs) => {
            if (waitMs !== null) pokeIn(waitMs)
          })
          .catch(onError)
          .finally(() => {
            sending.delete(work)
            if (!stopping.signal.aborted) loop.poke()
          })
        sending.add(work)
      }
      return false
    },
  })
  const consumer = startConsumer(database, {
    name: readerName,
    handle: (tx, events) => enqueue(options, tx, events, () => loop.poke()),
    onError,
  })
  return {
    async stop() {
      await consumer.stop()
      await loop.stop()
      stopping.abort()
      await Promise.all(sending)
      for (const timer of timers) clearTimeout(timer)
    },
  }
}

/** The body is fixed here: each attempt sends the same. */
async function enqueue(
  { database, service, ids, baseUrl }: PusherOptions,
  tx: Tx,
  events: readonly LoggedEvent[],
  onEnqueued: () => void,
): Promise<void> {
  const changed = events.filter(({ type, runId }) => wanted.has(type) && runId !== null)
  const runs = [
    ...new Map(changed.map(({ tenant, runId }) => [`${tenant}/${runId}`, { tenant, runId: runId! }])).values(),
  ]
  if (runs.length === 0) return
  const configs = await pushConfigsOfRuns(tx, runs)
  if (configs.length === 0) return
  const now = database.clock.now()
  const pushes = []
  for (const task of await findTasks(tx, configs)) {
    const facts = await service.factsOf(tx, task.tenant, task)
    const value = toTask(facts, baseUrl(), 0)
    const body = JSON.stringify(StreamResponse.toJSON({ payload: { $case: 'task', value } }))
    for (const config of configs) {
      if (config.tenant !== task.tenant || config.runId !== task.runId) continue
      pushes.push({
        ...{ tenant: task.tenant, id: ids.next<string>('a2n'), runId: task.runId, configId: config.id, body },
      })
    }
  }
  await insertPushes(tx, pushes, now, new Date(now.getTime() + giveUpAfterMs))
  tx.afterCommit(onEnqueued)
}

/** Resolves to the milliseconds after which it is due again; null: it is over. */
async function deliver(options: PusherOptions, push: ClaimedPush, signal: AbortSignal): Promise<number | null> {
  const { database, keys, sender, backoffMs, isOpen, onCommit } = options
  const system = database.asSystem('peer-pushes')
  const { tenant, runId, configId } = push
  if (!(await isOpen(tenant))) {
    await system.write((tx) => postponePush(tx, push, new Date(database.clock.now().getTime() + closedMs)))
    return closedMs
  }
  const configs = await system.read((tx) => pushConfigsOf(tx, tenant, runId))
  const config = configs.find(({ id }) => id === configId)
  if (config === undefined) {
    await system.write((tx) => endPush(tx, push))
    return null
  }
  const headers = {
    'content-type': A2A_CONTENT_TYPE,
    ...pushHeaders(openPush(keys, config, config.sealed, config.keyId)),
  }
  const sent = await sender.send({ url: config.url, headers, body: push.body }, signal)
  failpoint('push.sent')
  const now = database.clock.now()
  const pause = backoffMs(push.attempt, sent.retryAfterMs)
  const next = new Date(now.getTime() + pause)
  const over = sent.error === null || sent.final || sent.status === 410 || next > push.giveUpAt
  if (!over) {
    await system.write((tx) => postponePush(tx, push, next))
    return pause
  }
  await system.write(async (tx) => {
    if (!(await endPush(tx, push)) || sent.error === null) return
    await appendEvents(tx, [
      {
        ...{ tenant, type: 'a2a-push.dead', runId, at: now },
        subject: { kind: 'a2a-push', id: push.id, rev: push.attempt },
        data: { url: config.url, attempts: push.attempt, error: sent.error },
      },
    ])
    tx.afterCommit(onCommit)
  })
  return null
}
