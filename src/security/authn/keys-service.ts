import { type IdSource, systemIds, type TenantId } from '../../foundation/kernel/ids.ts'
import { type Random, systemRandom } from '../../foundation/kernel/random.ts'
import type { Database, Tx } from '../../foundation/platform/database/database.ts'
import type { PagePlace } from '../../foundation/platform/http/page.ts'
import type { Principal } from '../../foundation/platform/http/principal.ts'
import { appendEvents } from '../../foundation/runtime/event-log.ts'
import { firstBeyond, permissionsOfRole, type Role } from '../authz/roles-contract.ts'
import { createKey, type KeyKind } from './key-format.ts'
import { keyStateAt, toKeyView } from './keys.ts'
import type { CreateKey, KeyView, NewKeyView } from './keys-contract.ts'
import { keyErrors } from './keys-errors.ts'
import {
  anyKey,
  endKey,
  findKey,
  insertKey,
  type KeyRow,
  listKeyRows,
  lockKey,
  revokeKeysOfMember,
} from './keys-store.ts'
import { isNetwork } from './networks.ts'

/** Told to every process when keys, members or tenants change, so that nobody is let in by what was remembered. */
export const accessChannel = 'access'

export interface KeysServiceOptions {
  readonly database: Database
  /** Whether the tenant has this member; the tenants' part provides it. Throws `member-not-found`. */
  readonly assertMember: (tx: Tx, tenant: TenantId, memberId: string) => Promise<void>
  /** Called after each change that takes rights away, in this process. */
  readonly onChange?: () => void
  readonly ids?: IdSource
  readonly random?: Random
}

/** Makes, lists, rotates and ends the keys of a tenant. What a key can do is bounded by who made it. */
export class KeysService {
  readonly #database: Database
  readonly #options: KeysServiceOptions
  readonly #ids: IdSource
  readonly #random: Random

  constructor(options: KeysServiceOptions) {
    this.#database = options.database
    this.#options = options
    this.#ids = options.ids ?? systemIds
    this.#random = options.random ?? systemRandom
  }

  /** Errors: `key-beyond-giver`, `key-networks-invalid`, `member-not-found`. */
  async create(by: Principal, wanted: CreateKey): Promise<NewKeyView> {
    const { tenant } = by
    assertGrantable(by, wanted)
    const wrong = wanted.networks?.find((network) => !isNetwork(network))
    if (wrong !== undefined) throw keyErrors['key-networks-invalid'](`${JSON.stringify(wrong)} is no address or range`)
    return this.#database.forTenant(tenant).write(async (tx) => {
      if (wanted.memberId !== undefined) await this.#options.assertMember(tx, tenant, wanted.memberId)
      return this.insert(tx, 'key', {
        tenant,
        name: wanted.name,
        role: wanted.role,
        scopes: wanted.scopes ?? null,
        platform: wanted.platform,
        memberId: wanted.memberId ?? null,
        networks: wanted.networks ?? null,
        rotatedFrom: null,
        createdBy: by.id,
        expiresAt: wanted.expiresIn === null ? null : this.#after(wanted.expiresIn),
      })
    })
  }

  /** Puts a new key into a transaction of the caller, who has checked what it may do. */
  async insert(tx: Tx, kind: KeyKind, wanted: WantedKey): Promise<NewKeyView> {
    const { text, prefix, hash } = createKey(kind, this.#random)
    const now = this.#database.clock.now()
    const id = wanted.id ?? this.#ids.next<string>(kind === 'key' ? 'key' : 'rtk')
    const row: KeyRow = { ...wanted, id, prefix, hash, kind, rev: 1, createdAt: now, revokedAt: null, lastUsedAt: null }
    if (!(await insertKey(tx, row))) throw keyErrors['key-not-active'](`${id} is there already`)
    await this.#record(tx, row, kind === 'key' ? 'key.created' : 'runner-token.created', now)
    return { key: text, ...toKeyView(row, now) }
  }

  async show(tenant: TenantId, id: string): Promise<KeyView> {
    const row = await this.#database.forTenant(tenant).read((tx) => findKey(tx, tenant, id))
    if (row === null) throw notFound(id)
    return toKeyView(row, this.#database.clock.now())
  }

  async list(
    tenant: TenantId,
    filter: { readonly state: KeyView['state'] | undefined; readonly before: PagePlace | null; readonly limit: number },
  ): Promise<KeyView[]> {
    const now = this.#database.clock.now()
    const rows = await this.#database.forTenant(tenant).read((tx) => listKeyRows(tx, tenant, { ...filter, now }))
    return rows.map((row) => toKeyView(row, now))
  }

  /** Errors: `key-not-found`, `key-not-active`, `key-beyond-giver`. */
  async rotate(by: Principal, id: string, overlapSeconds: number): Promise<NewKeyView> {
    const { tenant } = by
    const made = await this.#database.forTenant(tenant).write(async (tx) => {
      const old = await lockKey(tx, tenant, id)
      const now = this.#database.clock.now()
      if (old === null || old.kind !== 'key') throw notFound(id)
      if (keyStateAt(old, now) !== 'active') throw keyErrors['key-not-active'](`${id} is ${keyStateAt(old, now)}`)
      assertGrantable(by, { role: old.role, scopes: old.scopes ?? undefined, platform: old.platform })
      const life = old.expiresAt === null ? null : old.expiresAt.getTime() - old.createdAt.getTime()
      const successor = await this.insert(tx, 'key', {
        ...old,
        id: undefined,
        rotatedFrom: old.id,
        createdBy: by.id,
        expiresAt: life === null ? null : new Date(now.getTime() + life),
      })
      await endKey(tx, tenant, id, { expiresAt: this.#after(overlapSeconds) })
      await this.#record(tx, { ...old, rev: old.rev + 1 }, 'key.rotated', now)
      return successor
    })
    this.tell()
    return made
  }

  /** A second time changes nothing. Errors: `key-not-found`. */
  async revoke(tenant: TenantId, id: string): Promise<KeyView> {
    const view = await this.#database.forTenant(tenant).write(async (tx) => {
      const key = await lockKey(tx, tenant, id)
      const now = this.#database.clock.now()
      if (key === null || key.kind !== 'key') throw notFound(id)
      if (key.revokedAt !== null) return toKeyView(key, now)
      await endKey(tx, tenant, id, { revokedAt: now })
      const ended = { ...key, rev: key.rev + 1, revokedAt: now }
      await this.#record(tx, ended, 'key.revoked', now)
      return toKeyView(ended, now)
    })
    this.tell()
    return view
  }

  /** Within the transaction in which a member leaves. */
  async revokeOfMember(tx: Tx, tenant: TenantId, memberId: string): Promise<void> {
    await revokeKeysOfMember(tx, tenant, memberId, this.#database.clock.now())
    tx.afterCommit(() => this.tell())
  }

  /** The first key of a new tenant, in the transaction that makes it. */
  createOwnerIn(tx: Tx, tenant: TenantId, by: string): Promise<NewKeyView> {
    return this.insert(tx, 'key', {
      ...{ tenant, name: 'first owner', role: 'owner', scopes: null, platform: false, memberId: null, networks: null },
      ...{ rotatedFrom: null, createdBy: by, expiresAt: this.#after(365 * 86_400) },
    })
  }

  /**
   * The key of the very first start: a day long, it may do everything. Null where keys were made before, by this or any
   * other process.
   */
  async createFirst(tenant: TenantId): Promise<NewKeyView | null> {
    return this.#database.asSystem('first-key').write(async (tx) => {
      if (await anyKey(tx)) return null
      const id = 'key_first'
      return this.insert(tx, 'key', {
        ...{ tenant, id, name: 'first start', role: 'owner', scopes: null, platform: true, memberId: null },
        ...{ networks: null, rotatedFrom: null, createdBy: 'first start', expiresAt: this.#after(86_400) },
      }).catch((error) => (error?.code === 'key-not-active' ? null : Promise.reject(error)))
    })
  }

  #after(seconds: number): Date {
    return new Date(this.#database.clock.now().getTime() + seconds * 1_000)
  }

  #record(tx: Tx, key: KeyRow, type: string, at: Date): Promise<void> {
    const { tenant, id, rev, name, role, createdBy } = key
    const data = { name, role, by: createdBy }
    return appendEvents(tx, [{ tenant, type, subject: { kind: 'key', id, rev }, runId: null, at, data }])
  }

  /** Rights have changed: what was remembered of them, here and elsewhere, is not to be relied on. */
  tell(): void {
    this.#options.onChange?.()
    this.#database.notify(accessChannel)
  }
}

/** A key that is to be; its id is made where none is given. */
export type WantedKey = Omit<
  KeyRow,
  'id' | 'prefix' | 'hash' | 'kind' | 'rev' | 'createdAt' | 'revokedAt' | 'lastUsedAt'
> & { readonly id?: string | undefined }

function assertGrantable(
  by: Principal,
  wanted: { readonly role: Role; readonly scopes?: readonly string[] | undefined; readonly platform: boolean },
): void {
  const asked = [...(wanted.scopes ?? permissionsOfRole[wanted.role]), ...(wanted.platform ? ['platform:*'] : [])]
  const beyond = firstBeyond(by, asked)
  if (beyond !== null) throw keyErrors['key-beyond-giver'](`${by.id} may not give away ${beyond}`)
}

function notFound(id: string) {
  return keyErrors['key-not-found'](`there is no key ${id}`)
}
