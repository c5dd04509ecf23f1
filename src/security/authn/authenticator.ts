import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { Database, ReadTx } from '../../foundation/platform/database/database.ts'
import { type Authenticate, readCredential } from '../../foundation/platform/http/bearer-token.ts'
import type { Principal } from '../../foundation/platform/http/principal.ts'
import type { LoggedEvent } from '../../foundation/runtime/event-log.ts'
import type { EventReader } from '../../foundation/runtime/event-reader.ts'
import { createLoop, type Loop } from '../../foundation/runtime/loop.ts'
import { permissionsOfRole, type Role, runnerPermissions } from '../authz/roles-contract.ts'
import { isKey, prefixOf } from './key-format.ts'
import { keyStateAt } from './keys.ts'
import { keyErrors } from './keys-errors.ts'
import { accessChannel } from './keys-service.ts'
import { dropOldRunnerTokens, findByPrefix, type KeyRow, touchKeys } from './keys-store.ts'
import { isWithin } from './networks.ts'

/** What the tenants' part knows of a key's owner. */
export interface Standing {
  /** Null where there is no such tenant. */
  readonly tenantState: 'active' | 'suspended' | 'deleting' | 'deleted' | null
  /** Of the member who owns the key; null where it has none, or the member has left. */
  readonly memberRole: Role | null
}

export interface AuthenticatorOptions {
  readonly database: Database
  readonly standingOf: (tx: ReadTx, tenant: TenantId, memberId: string | null) => Promise<Standing>
  /** How long a key is remembered without a look at its row, ms. Default 1,000: so long a revoked one may live elsewhere. */
  readonly rememberMs?: number
  /** Tells of changes of keys, members and tenants. While it is read, keys are remembered for `followedMs`. */
  readonly feed?: Pick<EventReader, 'open'>
  /** Default 30,000: so long a revoked key may live here after this process has lost its database. */
  readonly followedMs?: number
  /** How often uses are recorded, ms. Default 10,000. */
  readonly recordMs?: number
  readonly onError: (error: unknown) => void
}

type Found = { readonly key: KeyRow; readonly standing: Standing } | null

/** A key that was shown, and the row that it was held against. */
interface Proof {
  readonly found: NonNullable<Found>
  readonly principal: Principal
}

interface Remembered {
  readonly until: number
  /** The row itself as soon as it is there, so that nobody waits for what is known. */
  found: Promise<Found> | Found
}

/** Subjects whose changes may take rights away. */
const concerned: ReadonlySet<string> = new Set(['key', 'member', 'tenant'])
const mostRemembered = 10_000
const hour = 3_600_000

/** Knows callers by their keys and runner tokens. */
export class Authenticator {
  readonly #options: AuthenticatorOptions
  readonly #remembered = new Map<string, Remembered>()
  /** By the whole key: to look one up tells nothing of how much of a guess is right. */
  readonly #proven = new Map<string, Proof>()
  readonly #uses = new Map<string, { readonly tenant: TenantId; readonly id: string; at: Date }>()
  readonly #rememberMs: number
  /** Calls of a moment have better things to do. */
  #sweepAt: number
  readonly #unlisten: () => void
  readonly #recorder: Loop
  readonly #closing = new AbortController()
  readonly #follower: Loop | null
  #isFollowing = false

  constructor(options: AuthenticatorOptions) {
    this.#options = options
    this.#rememberMs = options.rememberMs ?? 1_000
    this.#sweepAt = options.database.clock.monotonic() + hour / 12
    this.#unlisten = options.database.listen(accessChannel, () => this.forget())
    this.#recorder = createLoop({
      step: () => this.#record(),
      pollMs: options.recordMs ?? 10_000,
      onError: options.onError,
    })
    const { feed } = options
    this.#follower =
      feed === undefined
        ? null
        : createLoop({ step: () => this.#follow(feed), pollMs: 1_000, onError: options.onError })
  }

  readonly authenticate: Authenticate = (headers, { ip }) => {
    const text = readCredential(headers)
    const prefix = text === null ? null : prefixOf(text)
    if (text === null || prefix === null) return null
    const found = this.#find(prefix)
    return found instanceof Promise ? found.then((row) => this.#admit(row, text, ip)) : this.#admit(found, text, ip)
  }

  #admit(found: Found, text: string, ip: string): Principal | null {
    const proof = found === null ? null : this.#prove(found, text)
    if (proof === null) return null
    const { key, standing } = proof.found
    const now = this.#options.database.clock.now()
    if (keyStateAt(key, now) !== 'active') return null
    if (key.networks !== null && !isWithin(key.networks, ip)) {
      throw keyErrors['key-network-refused'](`${key.id} may not be used from ${ip}`)
    }
    if (standing.tenantState === 'suspended')
      throw keyErrors['tenant-suspended'](`the tenant ${key.tenant} is suspended`)
    if (standing.tenantState !== 'active') return null
    if (key.memberId !== null && standing.memberRole === null) return null
    const use = this.#uses.get(key.id)
    if (use === undefined) this.#uses.set(key.id, { tenant: key.tenant, id: key.id, at: now })
    else use.at = now
    return proof.principal
  }

  /** The digest is taken once for each reading of the row, not for each request. */
  #prove(found: NonNullable<Found>, text: string): Proof | null {
    const known = this.#proven.get(text)
    if (known?.found === found) return known
    if (!isKey(text, found.key.hash)) return null
    if (this.#proven.size >= mostRemembered) this.#proven.clear()
    const proof = { found, principal: principalOf(found.key, found.standing) }
    this.#proven.set(text, proof)
    return proof
  }

  /** Looks at every row again. */
  forget(): void {
    this.#remembered.clear()
    this.#proven.clear()
  }

  /** Records the last uses and ends. */
  async stop(): Promise<void> {
    this.#unlisten()
    this.#closing.abort()
    await this.#follower?.stop()
    await this.#recorder.stop()
    await this.#record()
  }

  /** What takes rights away is in the log, and the log leaves nothing out: a hint may be lost, an event is not. */
  async #follow(feed: Pick<EventReader, 'open'>): Promise<void> {
    const matches = ({ subject }: LoggedEvent) => concerned.has(subject.kind)
    try {
      const batches = await feed.open({ matches }, this.#closing.signal)
      this.forget()
      this.#isFollowing = true
      for await (const _ of batches) this.forget()
    } finally {
      this.#isFollowing = false
      this.forget()
    }
  }

  #find(prefix: string): Remembered['found'] {
    const { database, standingOf } = this.#options
    const now = database.clock.monotonic()
    const known = this.#remembered.get(prefix)
    if (known !== undefined && known.until > now) return known.found
    const found = database.asSystem('authenticate').read(async (tx) => {
      const key = await findByPrefix(tx, prefix)
      return key === null ? null : { key, standing: await standingOf(tx, key.tenant, key.memberId) }
    })
    if (this.#remembered.size >= mostRemembered) this.#remembered.clear()
    const rememberMs = this.#isFollowing ? (this.#options.followedMs ?? 30_000) : this.#rememberMs
    const remembered: Remembered = { until: now + rememberMs, found }
    this.#remembered.set(prefix, remembered)
    found.then(
      (row) => {
        remembered.found = row
      },
      // A failure is not remembered; who asked first hears of it.
      () => this.#remembered.delete(prefix),
    )
    return found
  }

  async #record(): Promise<void> {
    const { database } = this.#options
    const uses = [...this.#uses.values()]
    this.#uses.clear()
    if (uses.length > 0) await database.asSystem('key-use').write((tx) => touchKeys(tx, uses))
    if (database.clock.monotonic() < this.#sweepAt) return
    this.#sweepAt = database.clock.monotonic() + hour
    const old = new Date(database.clock.now().getTime() - 24 * hour)
    await database.asSystem('key-use').write((tx) => dropOldRunnerTokens(tx, old))
  }
}

function principalOf(key: KeyRow, { memberRole }: Standing): Principal {
  const { id, tenant, kind, role, scopes, platform, memberId } = key
  const own = kind === 'runner' ? runnerPermissions : permissionsOfRole[role]
  return {
    id: memberId ?? id,
    tenant,
    key: id,
    permissions: platform ? [...own, 'platform:*'] : own,
    within: [...(scopes === null ? [] : [scopes]), ...(memberRole === null ? [] : [permissionsOfRole[memberRole]])],
  }
}
