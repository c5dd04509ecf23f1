import type { Limiter } from '../external-api/gateway/front-door/index.ts'
import { createWebhooks, type RuleActions, type Webhooks } from '../external-api/webhooks/index.ts'
import type { LoadedConfig } from '../foundation/platform/config/load-config.ts'
import type { Database } from '../foundation/platform/database/database.ts'
import type { RunsService } from '../orchestration/runs/runs-service.ts'
import { requireRun } from '../orchestration/runs/runs-store.ts'
import { ruleLanguage } from './rule-language.ts'
import { isTenantOpen } from './tenant-work.ts'
import { loadSigningKeys } from './webhook-key.ts'

export interface OpenWebhooksOptions {
  readonly loaded: LoadedConfig
  readonly database: Database
  readonly runs: RunsService
  /** Counts what comes in, for all replicas together. */
  readonly limiter: Limiter
  readonly onCommit: () => void
  readonly onError: (error: unknown) => void
}

/** Ties webhooks to the runs they start and resume, and to the secrets of the configuration. */
export async function openWebhooks(options: OpenWebhooksOptions): Promise<Webhooks> {
  const { loaded, database, runs, limiter, onCommit, onError } = options
  const { config, secrets } = loaded
  return createWebhooks({
    database,
    keys: await loadSigningKeys(loaded),
    language: ruleLanguage,
    actions: ruleActions(runs, config.parallel),
    readSecret: async (name) => (await secrets.read(name)).reveal(),
    secretNames: secrets.names,
    allow: config.webhooks.allow,
    takeRate: async (key, { limit, seconds }) => {
      const { taken, tokens, waitMs } = await limiter.take(key, { requests: limit, windowMs: seconds * 1_000 })
      return { allowed: taken, remaining: Math.floor(tokens), resetMs: waitMs }
    },
    isOpen: (tenant) => database.asSystem('webhook-sources').read((tx) => isTenantOpen(tx, tenant)),
    keepMs: config.webhooks.keepMs,
    onCommit,
    onError,
  })
}

/** What rules do, in their own transaction. */
export function ruleActions(runs: RunsService, parallel: number | null): RuleActions {
  return {
    async startRun(tx, tenant, { workflow, inputs, labels }, now) {
      const start = { what: { name: workflow }, inputs, repo: null, priority: null, parallel, labels }
      return (await runs.startIn(tx, tenant, start, now)).id
    },
    requireRun,
  }
}
