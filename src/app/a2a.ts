import { hkdfSync } from 'node:crypto'
import { resolve } from 'node:path'
import { standingOf } from '../enterprise/tenants/index.ts'
import {
  a2aRoutes,
  a2aServerErrors,
  anyPushConfig,
  createTaskFollower,
  markPushesFromHere,
  OfferService,
  PushConfigs,
  type RunsBehind,
  startPusher,
} from '../external-api/a2a/index.ts'
import { findEntry } from '../external-api/registry/index.ts'
import type { EventFeed } from '../external-api/streams/index.ts'
import { backoffMs, createSender } from '../external-api/webhooks/index.ts'
import { type RunId, systemIds, type TenantId } from '../foundation/kernel/ids.ts'
import type { JsonObject } from '../foundation/kernel/json.ts'
import { systemRandom } from '../foundation/kernel/random.ts'
import type { A2aOffer } from '../foundation/platform/config/a2a-settings.ts'
import type { LoadedConfig } from '../foundation/platform/config/load-config.ts'
import type { Database, ReadTx } from '../foundation/platform/database/database.ts'
import type { Route } from '../foundation/platform/http/route.ts'
import { createAddressGuard } from '../foundation/platform/network/address-guard.ts'
import { PushInbox } from '../orchestration/agents/a2a/push-inbox.ts'
import { listApprovals } from '../orchestration/approvals/approvals-view.ts'
import { artifactsOfRun } from '../orchestration/artifacts/artifacts-store.ts'
import { listQuestions } from '../orchestration/questions/questions-store.ts'
import { leaseStanding } from '../orchestration/runs/lease-standing.ts'
import type { RepoAt } from '../orchestration/runs/runs-service.ts'
import { findRun } from '../orchestration/runs/runs-store.ts'
import { runsUnder } from '../orchestration/runs/runs-under.ts'
import { parseWorkflow } from '../orchestration/workflows/index.ts'
import type { DefinitionFiles } from './built-ins.ts'
import type { Orchestration } from './orchestration.ts'
import { packageVersion } from './package-info.ts'
import { loadSigningKeys } from './webhook-key.ts'

export interface OpenA2aOptions {
  readonly loaded: LoadedConfig
  readonly database: Database
  readonly orchestration: Pick<Orchestration, 'runs' | 'approvals' | 'questions'>
  readonly files: DefinitionFiles
  readonly feed: EventFeed
  readonly repoAt: (path: string) => Promise<RepoAt>
  readonly onCommit: () => void
  readonly onError: (error: unknown) => void
}

export interface OpenA2a {
  readonly routes: readonly Route[]
  /** Where remote agents tell of news. */
  readonly inbox: PushInbox
  /** The address that others know us by, unless the configuration says another. */
  serving(url: string): void
  /** Starts telling callers of their tasks. */
  start(): void
  close(): Promise<void>
}

/** Our agents as others reach them over A2A, and the way back for remote agents. */
export async function openA2a(options: OpenA2aOptions): Promise<OpenA2a> {
  const { loaded, database, files, feed, onCommit, onError } = options
  const { config } = loaded
  const { offers, allow } = config.a2a
  let url = config.a2a.url
  const keys = await loadSigningKeys(loaded)
  const pushSecret = keys.secretOf({
    tenant: 'platform' as TenantId,
    id: 'a2a-notifications',
    version: 1,
    keyId: keys.keyId,
  })
  const inbox = new PushInbox({
    database,
    key: Buffer.from(hkdfSync('sha256', pushSecret, 'leanvibe a2a', 'notifications', 32)),
    url: () => url,
    isLive: async (tx, { tenant, taskId, fence }) => {
      const standing = await leaseStanding(tx, tenant, taskId)
      return standing?.live === true && standing.fence === fence
    },
  })
  const guard = createAddressGuard(allow, {
    url: a2aServerErrors['a2a-push-url-refused'],
    address: a2aServerErrors['a2a-push-url-refused'],
  })
  const runs = runsBehind(options)
  const service = new OfferService({ database, runs, ids: systemIds })
  const baseUrl = () => url ?? ''
  const sender = createSender({ guard })
  let pusher: { stop(): Promise<void> } | null = null
  let started = false
  let looking: Promise<void> | null = null
  let marked: Promise<void> | null = null
  const ready = () => {
    marked ??= markPushesFromHere(database).catch((error) => {
      marked = null
      throw error
    })
    return marked
  }
  const startPushing = () => {
    if (!started || pusher !== null) return
    pusher = startPusher({
      ...{ database, service, keys, sender, baseUrl, onCommit, onError, ids: systemIds },
      backoffMs: (failed, askedMs) => backoffMs(failed, systemRandom, askedMs),
      isOpen: async (tenant) => {
        const { tenantState } = await database.asSystem('peer-pushes').read((tx) => standingOf(tx, tenant, null))
        return tenantState === 'active'
      },
    })
  }
  return {
    inbox,
    routes: a2aRoutes({
      ...{ database, offers, service, runs, inbox, baseUrl, version: packageVersion() },
      async published(tenant, name) {
        const offer = await database.forTenant(tenant).read((tx) => publishedOffer(tx, tenant, name))
        // From now on there may be somebody to tell.
        if (offer !== null) startPushing()
        return offer
      },
      follower: createTaskFollower(database, feed),
      pushes: new PushConfigs({ database, keys, guard, ids: systemIds, ready }),
      detailsOf: (offer) => detailsOf(files, offer),
    }),
    serving(served) {
      url ??= served.replace(/\/+$/, '')
    },
    start() {
      started = true
      if (offers.length > 0) return startPushing()
      // Who offers nothing, and has published nothing that was called, has nobody to tell.
      looking = database
        .asSystem('peer-pushes')
        .read(anyPushConfig)
        .then((any) => {
          if (any) startPushing()
        })
        .catch(onError)
    },
    async close() {
      await looking
      started = false
      await pusher?.stop()
      sender[Symbol.dispose]()
      inbox[Symbol.dispose]()
    },
  }
}

/** One of our own agents that a tenant has published, as others may speak to it. */
async function publishedOffer(tx: ReadTx, tenant: TenantId, name: string): Promise<A2aOffer | null> {
  const entry = await findEntry(tx, tenant, name)
  if (entry === null || (entry.kind !== 'pool' && entry.kind !== 'workflow')) return null
  const { title, description, capabilities } = entry
  return {
    ...{ name, title, description, capabilities, examples: [], input: 'task', repo: null },
    target: entry.kind === 'pool' ? { pool: entry.target } : { workflow: entry.target },
  }
}

function runsBehind({ loaded, orchestration, repoAt }: OpenA2aOptions): RunsBehind {
  const { runs, approvals, questions } = orchestration
  const { parallel } = loaded.config
  return {
    repoOf: async ({ repo }) => (repo === null ? null : repoAt(resolve(loaded.config.project.root, repo))),
    async start(tx, tenant, { offer, text, values, labels, repo }, now) {
      const { target, input } = offer
      const words = text === '' ? {} : { [input]: text }
      const inputs: JsonObject = 'pool' in target ? { task: text } : { ...values, ...words }
      const what =
        'workflow' in target
          ? { name: target.workflow }
          : { text: poolWorkflow(target.pool), fileName: `a2a-${offer.name}.yaml` }
      return (await runs.startIn(tx, tenant, { what, inputs, repo, priority: null, parallel, labels }, now)).id
    },
    find: findRun,
    async cancel(tenant, runId, reason) {
      await runs.cancel(tenant, runId, reason)
    },
    async open(tx, tenant, run, now) {
      const runs = await runsUnder(tx, tenant, run as RunId, 1_000)
      const filter = { state: 'pending', runs, before: null, limit: 100 }
      const asked = (await listQuestions(tx, tenant, { ...filter, now })).map((each) => ({
        ...{ kind: each.kind, id: each.id, message: each.message, choices: each.choices, freeText: each.freeText },
        at: each.createdAt,
      }))
      const decided = (await listApprovals(tx, tenant, filter)).map((each) => ({
        ...{ kind: 'approval' as const, id: each.id, message: each.message, freeText: false, at: each.createdAt },
        choices: [
          { id: 'approve', label: 'Approve', meaning: 'allow-once' },
          { id: 'reject', label: 'Reject', meaning: 'reject-once' },
        ],
      }))
      return [...asked, ...decided].sort((a, b) => (a.at < b.at ? -1 : 1)).map(({ at: _, ...question }) => question)
    },
    artifacts: artifactsOfRun,
    async answer(tenant, { kind, id }, { choice, text, by }) {
      if (kind !== 'approval') return void (await questions.answer(tenant, id, { choice, text, by }))
      if (choice === null) {
        throw a2aServerErrors['a2a-message-invalid'](
          `the answer to ${id} is approve or reject, not ${text ?? ''}`.slice(0, 500),
        )
      }
      await approvals.answer(tenant, id, choice as 'approve' | 'reject', { by, comment: null })
    },
  }
}

/** One task for one agent of the pool; it arrives as an input and so is never code. */
function poolWorkflow(pool: string): string {
  return JSON.stringify({
    name: `a2a-${pool}`,
    description: `A task from outside for an agent of the pool ${pool}.`,
    inputs: { task: { type: 'string' } },
    steps: { task: { agent: { prompt: '${{ inputs.task }}' }, pool, outputs: { answer: 'stdout' } } },
    outputs: { summary: '${{ steps.task.outputs.answer }}' },
  })
}

async function detailsOf(files: DefinitionFiles, { target }: A2aOffer) {
  const file = 'workflow' in target ? await files.find(target.workflow) : null
  if (file === null) return { description: null, inputs: {} }
  const { definition } = parseWorkflow(file.text, file.file)
  return { description: definition.description ?? null, inputs: definition.inputs as unknown as JsonObject }
}
