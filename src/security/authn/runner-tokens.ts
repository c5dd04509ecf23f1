import type { Database, Tx } from '../../foundation/platform/database/database.ts'
import type { Principal } from '../../foundation/platform/http/principal.ts'
import type { RunnerTokenView } from './keys-contract.ts'
import { keyErrors } from './keys-errors.ts'
import type { KeysService } from './keys-service.ts'
import { endKey, lockKey } from './keys-store.ts'

/** How long the old token goes on beside the new one: long enough for calls that are under way. */
const overlapMs = 60_000

/** Tokens of minutes, by which runners on other machines speak for one tenant. */
export class RunnerTokens {
  readonly #database: Database
  readonly #keys: KeysService

  constructor(database: Database, keys: KeysService) {
    this.#database = database
    this.#keys = keys
  }

  create(by: Principal, name: string, seconds: number): Promise<RunnerTokenView> {
    return this.#database.forTenant(by.tenant).write((tx) => this.#insert(tx, by, name, seconds))
  }

  /** Errors: `not-a-runner`. */
  async renew(by: Principal, seconds: number): Promise<RunnerTokenView> {
    const { tenant, key } = by
    return this.#database.forTenant(tenant).write(async (tx) => {
      const old = typeof key === 'string' ? await lockKey(tx, tenant, key) : null
      if (old === null || old.kind !== 'runner') throw keyErrors['not-a-runner'](`${by.id} is no runner token`)
      await endKey(tx, tenant, old.id, { expiresAt: new Date(this.#database.clock.now().getTime() + overlapMs) })
      return this.#insert(tx, by, old.name, seconds, old.id)
    })
  }

  async #insert(tx: Tx, by: Principal, name: string, seconds: number, rotatedFrom: string | null = null) {
    const expiresAt = new Date(this.#database.clock.now().getTime() + seconds * 1_000)
    const made = await this.#keys.insert(tx, 'runner', {
      ...{ tenant: by.tenant, name, role: 'agent', scopes: null, platform: false, memberId: null, networks: null },
      ...{ rotatedFrom, createdBy: by.id, expiresAt },
    })
    return { token: made.key, id: made.id, name, expiresAt: expiresAt.toISOString() }
  }
}
