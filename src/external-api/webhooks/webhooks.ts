import { type IdSource, systemIds, type TenantId } from '../../foundation/kernel/ids.ts'
import { type Random, systemRandom } from '../../foundation/kernel/random.ts'
import type { Database } from '../../foundation/platform/database/database.ts'
import { type Route, route } from '../../foundation/platform/http/route.ts'
import { createAddressGuard } from '../../foundation/platform/network/address-guard.ts'
import { startConsumer } from '../../foundation/runtime/consumer.ts'
import { createLoop, type Loop } from '../../foundation/runtime/loop.ts'
import { pruneReceipts } from './inbound/receipts-store.ts'
import { Receiver } from './inbound/receive.ts'
import { type RuleActions, startRouter } from './inbound/router.ts'
import { createSlidingWindow, type TakeRate } from './inbound/sliding-window.ts'
import { createSourceCache, sourceChannel } from './inbound/source-cache.ts'
import { sourceRoutes } from './inbound/source-routes.ts'
import { createSourceSecrets, type ReadSecret } from './inbound/source-secrets.ts'
import { SourcesService } from './inbound/sources-service.ts'
import { startDeliverer } from './outbound/deliverer.ts'
import { pruneDeliveries } from './outbound/deliveries-store.ts'
import { createEnqueue } from './outbound/enqueue-deliveries.ts'
import { createSender } from './outbound/send.ts'
import { subscriptionRoutes } from './outbound/subscription-routes.ts'
import { SubscriptionsService } from './outbound/subscriptions-service.ts'
import type { RuleLanguage } from './rule-language.ts'
import type { SigningKeys } from './signing-keys.ts'
import { readFigures, saveStopped } from './status-store.ts'
import { showWebhooks, startWebhooks, stopWebhooks, type WebhookStatus } from './subscriptions-contract.ts'
import { webhookErrors } from './webhook-errors.ts'

export interface WebhooksOptions {
  readonly database: Database
  readonly keys: SigningKeys
  readonly language: RuleLanguage
  readonly actions: RuleActions
  readonly readSecret: ReadSecret
  readonly secretNames: readonly string[]
  /** Networks that receivers may lie in although they are not public. */
  readonly allow: readonly string[]
  readonly ids?: IdSource
  readonly random?: Random
  /** Default: a window in the memory of this process. */
  readonly takeRate?: TakeRate
  /** Whether a tenant may be sent anything, and anything done for it: not while it is suspended. Default: always. */
  readonly isOpen?: (tenant: TenantId) => Promise<boolean>
  /** How long ended receipts and deliveries are kept, ms. Default 30 days. */
  readonly keepMs?: number
  /** Of one delivery, ms. Default 15,000. */
  readonly timeoutMs?: number
  /** After so long a delivery is taken from a process that says nothing, ms. Default 60,000. */
  readonly leaseMs?: number
  /** Called after commits that appended events. */
  readonly onCommit?: () => void
  readonly onError: (error: unknown) => void
}

export interface Webhooks {
  readonly routes: readonly Route[]
  /** Starts routing and delivering in this process. Without it webhooks are received and stored only. */
  start(): void
  [Symbol.asyncDispose](): Promise<void>
}

/** Webhooks both ways, tied together. */
export function createWebhooks(options: WebhooksOptions): Webhooks {
  const { database, keys, language, actions, onError } = options
  const { ids = systemIds, random = systemRandom, keepMs = 30 * 86_400_000 } = options
  const onCommit = options.onCommit ?? (() => {})
  const loops: Loop[] = []
  let router: Loop | null = null
  let deliverer: Loop | null = null
  const onStored = () => router?.poke()
  const onDue = () => deliverer?.poke()

  const cache = createSourceCache(database, options.isOpen ?? (async () => true))
  const guard = createAddressGuard(options.allow, {
    url: webhookErrors['webhook-url-refused'],
    address: webhookErrors['webhook-address-refused'],
  })
  const sender = createSender({ guard, ...(options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }) })
  const sources = new SourcesService({ database, ids, keys, language, secretNames: options.secretNames })
  const subscriptions = new SubscriptionsService({ database, ids, keys, language, guard, onDue })
  const receiver = new Receiver({
    database,
    sources: cache,
    secretsOf: createSourceSecrets({ keys, readSecret: options.readSecret, clock: database.clock }),
    takeRate: options.takeRate ?? createSlidingWindow(database.clock),
    onStored,
  })
  const enqueue = createEnqueue({ ids, language, onEnqueued: onDue })

  return {
    routes: [
      ...statusRoutes(database, () => {
        onStored()
        onDue()
      }),
      ...sourceRoutes({ database, sources, receiver, onStored }),
      ...subscriptionRoutes(database, subscriptions),
    ],
    start() {
      const { leaseMs } = options
      const isOpen = options.isOpen === undefined ? {} : { isOpen: options.isOpen }
      router = startRouter({ database, language, actions, ...isOpen, onCommit, onError })
      deliverer = startDeliverer({
        database,
        sender,
        keys,
        random,
        onCommit,
        onError,
        ...(leaseMs === undefined ? {} : { leaseMs }),
        ...isOpen,
      })
      const handle = (tx: Parameters<typeof enqueue>[0], events: Parameters<typeof enqueue>[1]) =>
        enqueue(tx, events, database.clock.now())
      const consumer = startConsumer(database, { name: 'webhooks-out', handle, onError })
      const pruner = createLoop({
        pollMs: 600_000,
        onError,
        step: async () => {
          const before = new Date(database.clock.now().getTime() - keepMs)
          const system = database.asSystem('webhook-retention')
          const pruned = await system.write(
            async (tx) => (await pruneReceipts(tx, before)) + (await pruneDeliveries(tx, before)),
          )
          return pruned > 0
        },
      })
      loops.push(router, consumer, deliverer, pruner)
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(loops.map((loop) => loop.stop()))
      sender[Symbol.dispose]()
      cache[Symbol.dispose]()
    },
  }
}

function statusRoutes(database: Database, onStarted: () => void): Route[] {
  const look = async (tenant: TenantId): Promise<WebhookStatus> => {
    const figures = await database.forTenant(tenant).read((tx) => readFigures(tx, tenant))
    const { stopped, active, paused, disabled, ...rest } = figures
    const status = stopped ? 'stopped' : disabled > 0 || figures.failedReceipts > 0 ? 'degraded' : 'healthy'
    return { ...rest, status, serverRunning: true, subscriptions: { active, paused, disabled } }
  }
  const set = async (tenant: TenantId, stopped: boolean): Promise<WebhookStatus> => {
    await database.forTenant(tenant).write(async (tx) => {
      const now = database.clock.now()
      await saveStopped(tx, tenant, stopped ? now : null, now)
      tx.afterCommit(() => {
        database.notify(sourceChannel, '*')
        onStarted()
      })
    })
    return look(tenant)
  }
  return [
    route({ ...showWebhooks, permission: 'webhooks:read', handle: ({ principal }) => look(principal.tenant) }),
    route({ ...startWebhooks, permission: 'webhooks:admin', handle: ({ principal }) => set(principal.tenant, false) }),
    route({ ...stopWebhooks, permission: 'webhooks:admin', handle: ({ principal }) => set(principal.tenant, true) }),
  ]
}
