import { createHash, timingSafeEqual } from 'node:crypto'
import { type IdSource, systemIds, type TenantId } from '../../../foundation/kernel/ids.ts'
import { type Random, systemRandom } from '../../../foundation/kernel/random.ts'
import type { Database, ReadTx } from '../../../foundation/platform/database/database.ts'
import { type Authenticate, readCredential } from '../../../foundation/platform/http/bearer-token.ts'
import { httpErrors } from '../../../foundation/platform/http/http-errors.ts'
import type { Principal } from '../../../foundation/platform/http/principal.ts'
import type { LeaseStanding } from '../../../orchestration/runs/lease-standing.ts'
import type { CreateModelKey } from '../models-contract.ts'
import { modelErrors } from '../models-errors.ts'
import { findModelKey, insertModelKey, listModelKeys, type ModelKeyRow, revokeModelKey } from './keys-store.ts'

export interface ModelKeysOptions {
  readonly database: Database
  /** How the runs part sees a task. */
  readonly leaseOf: (tx: ReadTx, tenant: TenantId, taskId: string) => Promise<LeaseStanding | null>
  /** Workflow and team of a run; null where there is none. */
  readonly runOf: (
    tx: ReadTx,
    tenant: TenantId,
    runId: string,
  ) => Promise<{ readonly workflow: string; readonly team: string | null } | null>
  readonly isTenantOpen: (tx: ReadTx, tenant: TenantId) => Promise<boolean | 'suspended'>
  readonly ids?: IdSource
  readonly random?: Random
  /** How long a key is remembered without a look at its row, ms. Default 1,000: so long a revoked one may live elsewhere. */
  readonly rememberMs?: number
}

interface Remembered {
  readonly until: number
  readonly found: Promise<Found | null>
}

interface Found {
  readonly key: ModelKeyRow
  /** The lease that it hangs on is over. */
  readonly over: boolean
  readonly open: boolean | 'suspended'
}

const mostRemembered = 10_000
const letters = '0123456789abcdefghjkmnpqrstvwxyz'
/** Told to the other processes when a key ends early. */
const channel = 'model-keys'

/** Short-lived keys that call models on the account of an attempt, a run or an agent, and do nothing else. */
export class ModelKeys implements Disposable {
  readonly #options: ModelKeysOptions
  readonly #remembered = new Map<string, Remembered>()
  readonly #unlisten: () => void

  constructor(options: ModelKeysOptions) {
    this.#options = options
    this.#unlisten = options.database.listen(channel, () => this.#remembered.clear())
  }

  /** Errors: `model-key-invalid`. */
  async create(
    tenant: TenantId,
    by: string,
    wish: CreateModelKey,
  ): Promise<{ readonly key: string; readonly row: ModelKeyRow }> {
    const { database } = this.#options
    return database.forTenant(tenant).write(async (tx) => {
      const { name, models = null, task, agent = null, seconds } = wish
      const lease = task === undefined ? null : await this.#options.leaseOf(tx, tenant, task)
      if (task !== undefined && lease === null) throw modelErrors['model-key-invalid'](`there is no task ${task}`)
      if (lease !== null && wish.run !== undefined && wish.run !== lease.runId)
        throw modelErrors['model-key-invalid'](`the task ${task} does not belong to the run ${wish.run}`)
      const runId = lease?.runId ?? wish.run ?? null
      const run = lease ?? (runId === null ? null : await this.#options.runOf(tx, tenant, runId))
      if (runId !== null && run === null) throw modelErrors['model-key-invalid'](`there is no run ${runId}`)
      const now = database.clock.now()
      const made = newKey(this.#options.random ?? systemRandom)
      const row: ModelKeyRow = {
        ...{ tenant, id: (this.#options.ids ?? systemIds).next<string>('mky'), prefix: made.prefix, hash: made.hash },
        ...{ name, models: models === null ? null : [...models], runId, taskId: task ?? null },
        ...{ workflow: run?.workflow ?? wish.workflow ?? null, team: run?.team ?? wish.team ?? null },
        ...{ attempt: lease?.live === true ? lease.attempt : null, fence: lease?.live === true ? lease.fence : null },
        ...{ agentId: agent ?? lease?.agentId ?? null, createdBy: by, createdAt: now, revokedAt: null },
        expiresAt: new Date(now.getTime() + seconds * 1_000),
      }
      await insertModelKey(tx, row)
      return { key: made.text, row }
    })
  }

  list(tenant: TenantId, limit: number): Promise<readonly ModelKeyRow[]> {
    return this.#options.database.forTenant(tenant).read((tx) => listModelKeys(tx, tenant, limit))
  }

  /** Errors: `model-key-not-found`. */
  async revoke(tenant: TenantId, id: string): Promise<ModelKeyRow> {
    const { database } = this.#options
    const row = await database.forTenant(tenant).write((tx) => revokeModelKey(tx, tenant, id, database.clock.now()))
    if (row === null) throw modelErrors['model-key-not-found'](`there is no model key ${id}`)
    this.#remembered.clear()
    database.notify(channel)
    return row
  }

  /** Knows callers by their model keys. */
  readonly authenticate: Authenticate = (headers) => {
    const text = readCredential(headers)
    const prefix = text === null ? null : prefixOf(text)
    return text === null || prefix === null ? null : this.#admit(text, prefix)
  }

  async #admit(text: string, prefix: string): Promise<Principal | null> {
    const found = await this.#find(prefix)
    if (found === null || !timingSafeEqual(hashOf(text), found.key.hash)) return null
    const { key, open } = found
    if (found.over || key.revokedAt !== null || key.expiresAt <= this.#options.database.clock.now()) return null
    if (open === 'suspended') throw httpErrors.forbidden(`the tenant ${key.tenant} is suspended`)
    if (!open) return null
    return { id: key.id, tenant: key.tenant, key: key.id, permissions: ['models:write', 'models:read'] }
  }

  /** What a caller's key says; null for callers with another kind of key. */
  async bindingOf(headers: Parameters<Authenticate>[0]): Promise<ModelKeyRow | null> {
    const text = readCredential(headers)
    const prefix = text === null ? null : prefixOf(text)
    return prefix === null ? null : ((await this.#find(prefix))?.key ?? null)
  }

  [Symbol.dispose](): void {
    this.#unlisten()
  }

  #find(prefix: string): Remembered['found'] {
    const { database, leaseOf, isTenantOpen } = this.#options
    const now = database.clock.monotonic()
    const known = this.#remembered.get(prefix)
    if (known !== undefined && known.until > now) return known.found
    const found = database.asSystem('model-keys').read(async (tx): Promise<Found | null> => {
      const key = await findModelKey(tx, prefix)
      if (key === null) return null
      const lease = key.fence === null ? null : await leaseOf(tx, key.tenant, key.taskId!)
      const over = key.fence !== null && (lease === null || !lease.live || lease.fence !== key.fence)
      return { key, over, open: await isTenantOpen(tx, key.tenant) }
    })
    if (this.#remembered.size >= mostRemembered) this.#remembered.clear()
    this.#remembered.set(prefix, { until: now + (this.#options.rememberMs ?? 1_000), found })
    // A failure is not remembered; who asked first hears of it.
    found.catch(() => this.#remembered.delete(prefix))
    return found
  }
}

/** 32 random bytes; the beginning lets leak scanners know it. */
function newKey(random: Random): { readonly text: string; readonly prefix: string; readonly hash: Buffer } {
  const prefix = `lvm_${[...random.bytes(12)].map((byte) => letters[byte % 32]).join('')}`
  const text = `${prefix}_${Buffer.from(random.bytes(32)).toString('base64url')}`
  return { text, prefix, hash: hashOf(text) }
}

function prefixOf(text: string): string | null {
  return /^(lvm_[0-9a-z]{12})_[\w-]{43}$/.exec(text)?.[1] ?? null
}

function hashOf(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
