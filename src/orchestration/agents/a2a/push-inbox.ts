import { createHash } from 'node:crypto'
import type { TaskId, TenantId } from '../../../foundation/kernel/ids.ts'
import type { Database, ReadTx } from '../../../foundation/platform/database/database.ts'
import type { PushAddress, PushLease, PushPort } from './push-port.ts'
import { readPushToken, signPushToken } from './push-token.ts'

export interface PushInboxOptions {
  readonly database: Database
  /** Signs the tokens; the same for all replicas. */
  readonly key: Uint8Array
  /** Where others reach the receiver of this installation, once it is known. */
  readonly url: () => string | null
  /** Whether the lease is still the one that works on its task. */
  readonly isLive: (tx: ReadTx, lease: PushLease) => Promise<boolean>
}

export type Notified = 'woken' | 'duplicate' | 'unauthenticated' | 'late'

const channel = 'a2a_news'
const tokenSeconds = 7 * 86_400
/** Bodies that were seen lately; a notification that comes again wakes nobody. */
const mostSeen = 10_000

/**
 * Takes what remote agents tell of their tasks. It believes none of it: who shows the token of a lease that is live wakes
 * the session, which asks the agent itself.
 */
export class PushInbox implements PushPort, Disposable {
  readonly #options: PushInboxOptions
  readonly #waiting = new Map<string, () => void>()
  readonly #seen = new Set<string>()
  readonly #unlisten: () => void

  constructor(options: PushInboxOptions) {
    this.#options = options
    this.#unlisten = options.database.listen(channel, (name) => this.#waiting.get(name)?.())
  }

  open(lease: PushLease, onNews: () => void): PushAddress {
    const { key, database, url } = this.#options
    const { tenant, taskId, fence } = lease
    const name = nameOf(lease)
    this.#waiting.set(name, onNews)
    const iat = Math.floor(database.clock.now().getTime() / 1_000)
    const claims = { ten: tenant, sub: taskId, fence, iat, exp: iat + tokenSeconds }
    const token = signPushToken(key, { iss: 'leanvibe', aud: 'a2a-notifications', ...claims })
    return { url: `${url() ?? ''}/a2a/notifications`, token, close: () => void this.#waiting.delete(name) }
  }

  /** Whether anybody outside knows where we are. */
  get reachable(): boolean {
    return this.#options.url() !== null
  }

  /** @param token as `Authorization: Bearer` had it, or `X-A2A-Notification-Token`; null: there was none */
  async receive(token: string | null, body: Uint8Array): Promise<Notified> {
    const { key, database, isLive } = this.#options
    const claims = token === null ? null : readPushToken(key, token, database.clock.now())
    if (claims === null) return 'unauthenticated'
    const lease = { tenant: claims.ten as TenantId, taskId: claims.sub as TaskId, fence: claims.fence }
    if (!(await database.forTenant(lease.tenant).read((tx) => isLive(tx, lease)))) return 'late'
    const mark = `${nameOf(lease)} ${createHash('sha256').update(body).digest('base64')}`
    if (this.#seen.has(mark)) return 'duplicate'
    if (this.#seen.size >= mostSeen) this.#seen.delete(this.#seen.values().next().value!)
    this.#seen.add(mark)
    database.notify(channel, nameOf(lease))
    return 'woken'
  }

  [Symbol.dispose](): void {
    this.#unlisten()
    this.#waiting.clear()
  }
}

function nameOf({ tenant, taskId, fence }: PushLease): string {
  return `${tenant}/${taskId}.${fence}`
}
