import { isAppError, messageOf } from '../../foundation/kernel/errors.ts'
import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { JsonObject } from '../../foundation/kernel/json.ts'
import type { Database, Tx } from '../../foundation/platform/database/database.ts'
import { checkRevision, type ExpectedRevision } from '../../foundation/platform/http/preconditions.ts'
import { appendEvents } from '../../foundation/runtime/event-log.ts'
import type { Publish } from './registry-contract.ts'
import { registryErrors } from './registry-errors.ts'
import { claimChecks, deleteEntry, findEntry, lockEntry, type RegistryEntry, saveEntry } from './registry-store.ts'

/** What is told of an agent by itself, or by our configuration. */
export interface KnownAgent {
  readonly title: string
  readonly description: string
  readonly version: string
  readonly capabilities: readonly string[]
  readonly card: JsonObject | null
}

export interface RegistryOptions {
  readonly database: Database
  /** Looks an agent up: reads the card, finds the pool or workflow, or reaches the address. Throws what is wrong with it. */
  readonly lookUp: (kind: RegistryEntry['kind'], target: string, signal: AbortSignal) => Promise<KnownAgent>
  readonly onCommit: () => void
}

const lookUpMs = 15_000
/** Nobody else checks what one process has begun to check. */
const leaseMs = 60_000
const atOnce = 16
const longestError = 500

/** The agents that somebody has published: who they are, what they can do, what they cost, and whether they are there. */
export class RegistryService {
  readonly #options: RegistryOptions

  constructor(options: RegistryOptions) {
    this.#options = options
  }

  async publish(
    tenant: TenantId,
    name: string,
    publish: Publish,
    by: string,
    expected: ExpectedRevision,
    signal: AbortSignal,
  ): Promise<RegistryEntry> {
    const { database, lookUp } = this.#options
    const known = await lookUp(publish.kind, publish.target, AbortSignal.any([signal, AbortSignal.timeout(lookUpMs)]))
    return database.forTenant(tenant).write(async (tx) => {
      const now = database.clock.now()
      const present = await lockEntry(tx, tenant, name)
      checkRevision(expected, present?.rev ?? 0)
      const entry: RegistryEntry = {
        ...{ tenant, name, kind: publish.kind, target: publish.target, card: known.card },
        title: publish.title ?? known.title,
        description: publish.description ?? known.description,
        version: publish.version ?? known.version,
        capabilities: publish.capabilities ?? known.capabilities,
        owner: publish.owner ?? present?.owner ?? by,
        taskMicroUsd: publish.taskMicroUsd ?? null,
        tokenMicroUsd: publish.tokenMicroUsd ?? null,
        // It was there just now.
        ...{ health: 'healthy', healthError: null, checkedAt: now },
        checkSeconds: publish.checkSeconds ?? null,
        nextCheckAt: nextCheck(publish.checkSeconds ?? null, now),
        rev: (present?.rev ?? 0) + 1,
        createdAt: present?.createdAt ?? now,
        updatedAt: now,
      }
      await saveEntry(tx, entry)
      await this.#tell(tx, entry, present === null ? 'published' : 'changed', now)
      return entry
    })
  }

  async show(tenant: TenantId, name: string): Promise<RegistryEntry> {
    const found = await this.#options.database.forTenant(tenant).read((tx) => findEntry(tx, tenant, name))
    if (found === null) throw notFound(name)
    return found
  }

  async remove(tenant: TenantId, name: string, expected: ExpectedRevision): Promise<void> {
    const { database } = this.#options
    await database.forTenant(tenant).write(async (tx) => {
      const present = await lockEntry(tx, tenant, name)
      if (present === null) throw notFound(name)
      checkRevision(expected, present.rev)
      await deleteEntry(tx, tenant, name)
      await this.#tell(tx, { ...present, rev: present.rev + 1 }, 'removed', database.clock.now())
    })
  }

  /** Looks now. What is found becomes its health; a change of it is an event. */
  async check(tenant: TenantId, name: string, signal: AbortSignal): Promise<RegistryEntry> {
    return this.#check(await this.show(tenant, name), signal)
  }

  /** Looks at those whose time has come; true where there may be more. */
  async checkDue(signal: AbortSignal): Promise<boolean> {
    const { database } = this.#options
    const now = database.clock.now()
    const until = new Date(now.getTime() + leaseMs)
    const system = database.asSystem('registry-checks')
    const due = await system.write((tx) => claimChecks(tx, { now, until, limit: atOnce }))
    await Promise.all(due.map((entry) => this.#check(entry, signal)))
    return due.length === atOnce
  }

  async #check(entry: RegistryEntry, signal: AbortSignal): Promise<RegistryEntry> {
    const { database, lookUp } = this.#options
    const limit = AbortSignal.any([signal, AbortSignal.timeout(lookUpMs)])
    const found = await lookUp(entry.kind, entry.target, limit).catch((error: unknown) => whyNot(error))
    signal.throwIfAborted()
    return database.forTenant(entry.tenant).write(async (tx) => {
      const now = database.clock.now()
      const present = await lockEntry(tx, entry.tenant, entry.name)
      if (present === null) throw notFound(entry.name)
      // It was published anew while we looked at what it was before.
      if (present.target !== entry.target) return present
      const error = typeof found === 'string' ? found : null
      const health = error === null ? 'healthy' : 'unhealthy'
      const moved = present.health !== health
      const after: RegistryEntry = {
        ...present,
        ...{ health, healthError: error, checkedAt: now, nextCheckAt: nextCheck(present.checkSeconds, now) },
        ...(typeof found === 'string' ? {} : { card: found.card }),
        rev: moved ? present.rev + 1 : present.rev,
      }
      await saveEntry(tx, after)
      if (moved) await this.#tell(tx, after, health, now)
      return after
    })
  }

  async #tell(tx: Tx, entry: RegistryEntry, what: string, now: Date): Promise<void> {
    const { tenant, name, kind, target, rev, health, healthError } = entry
    await appendEvents(tx, [
      {
        ...{ tenant, type: `registry-entry.${what}`, runId: null, at: now },
        subject: { kind: 'registry-entry', id: name, rev },
        data: { kind, target, health, error: healthError },
      },
    ])
    tx.afterCommit(this.#options.onCommit)
  }
}

function whyNot(error: unknown): string {
  const text = isAppError(error) ? `${error.code}: ${error.message}` : messageOf(error)
  return text.slice(0, longestError)
}

function nextCheck(seconds: number | null, now: Date): Date | null {
  return seconds === null ? null : new Date(now.getTime() + seconds * 1_000)
}

function notFound(name: string): Error {
  return registryErrors['registry-entry-not-found'](`no agent is published as ${name}`)
}
