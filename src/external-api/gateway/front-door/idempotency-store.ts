import { type IdSource, systemIds } from '../../../foundation/kernel/ids.ts'
import { withBeforeCommit } from '../../../foundation/platform/database/before-commit.ts'
import type { Database, Tx } from '../../../foundation/platform/database/database.ts'
import { json, sql } from '../../../foundation/platform/database/sql.ts'
import { httpErrors } from '../../../foundation/platform/http/http-errors.ts'
import type { IdempotencyStore } from '../../../foundation/platform/http/idempotency.ts'
import { createLoop, type Loop } from '../../../foundation/runtime/loop.ts'

export interface IdempotencyOptions {
  readonly database: Database
  /** How long an answer is kept for repeats, ms. Default 24 h. */
  readonly keepMs?: number
  /** How long a write without an answer keeps others out, ms: a process that died is given up after it. Default 60,000. */
  readonly holdMs?: number
  readonly ids?: IdSource
}

interface Row {
  readonly fingerprint: Buffer
  readonly holder: string
  readonly status: number | null
  readonly headers: Record<string, string>
  readonly body: string | null
  readonly heldUntil: Date
  readonly wrote: boolean
}

/** Keeps answers in the rows of their tenant. */
export function createIdempotencyStore(options: IdempotencyOptions): IdempotencyStore {
  const { database, keepMs = 86_400_000, holdMs = 60_000, ids = systemIds } = options
  const after = (ms: number) => new Date(database.clock.now().getTime() + ms)
  return {
    async begin({ tenant, caller, key, fingerprint, outside }) {
      const holder = ids.next<string>('idm')
      const row = await database.forTenant(tenant).write(async (tx) => {
        const now = database.clock.now()
        // A row whose time is over, or whose process committed nothing within its hold, is taken over as if it were not there.
        const [found] = await tx.query<Row>(sql`
          insert into idempotent_requests as r (tenant_id, caller, key, fingerprint, holder, held_until, expires_at, wrote)
          values (${tenant}, ${caller}, ${key}, ${fingerprint}, ${holder}, ${after(holdMs)}, ${after(keepMs)}, ${outside})
          on conflict (tenant_id, caller, key) do update set
            holder = case when r.status is null and not r.wrote and r.held_until <= ${now} and r.fingerprint = excluded.fingerprint
              or r.expires_at <= ${now} then excluded.holder else r.holder end,
            fingerprint = case when r.expires_at <= ${now} then excluded.fingerprint else r.fingerprint end,
            status = case when r.expires_at <= ${now} then null else r.status end,
            held_until = case when r.expires_at <= ${now} or r.status is null and r.held_until <= ${now}
              and not r.wrote and r.fingerprint = excluded.fingerprint then excluded.held_until else r.held_until end,
            wrote = case when r.expires_at <= ${now} then excluded.wrote else r.wrote end,
            expires_at = case when r.expires_at <= ${now} then excluded.expires_at else r.expires_at end
          returning fingerprint, holder, status, headers, body, held_until as "heldUntil", wrote`)
        return found!
      })
      if (row.holder === holder) return { kind: 'fresh', holder }
      if (!row.fingerprint.equals(fingerprint)) return { kind: 'other' }
      if (row.status !== null) {
        return { kind: 'done', answer: { status: row.status, headers: row.headers, body: row.body } }
      }
      if (row.wrote && row.heldUntil <= database.clock.now()) return { kind: 'unknown' }
      const left = row.heldUntil.getTime() - database.clock.now().getTime()
      return { kind: 'busy', retryAfterMs: Math.max(1, Math.min(left, 1_000)) }
    },
    async perform({ tenant, caller, key }, holder, fn) {
      let told = false
      let over = false
      const tell = async (tx: Tx) => {
        // What outlives the request is not its effect, and a transaction of another tenant cannot see the row.
        if (told || over || (tx.tenant !== null && tx.tenant !== tenant)) return
        const ours = await tx.execute(sql`
          update idempotent_requests set wrote = true
          where tenant_id = ${tenant} and caller = ${caller} and key = ${key} and holder = ${holder}`)
        if (ours === 0) {
          throw httpErrors['idempotency-busy']('another request with this Idempotency-Key has taken over')
        }
        tx.afterCommit(() => {
          told = true
        })
      }
      try {
        return await withBeforeCommit(tell, fn)
      } finally {
        over = true
      }
    },
    async keep({ tenant, caller, key }, holder, { status, headers, body }) {
      await database.forTenant(tenant).write((tx) =>
        tx.execute(sql`
          update idempotent_requests set status = ${status}, headers = ${json(headers)}::jsonb, body = ${body},
            expires_at = ${after(keepMs)}
          where tenant_id = ${tenant} and caller = ${caller} and key = ${key} and holder = ${holder}`),
      )
    },
    async release({ tenant, caller, key, outside }, holder, effect) {
      await database.forTenant(tenant).write(async (tx) => {
        await tx.execute(sql`
          delete from idempotent_requests
          where tenant_id = ${tenant} and caller = ${caller} and key = ${key} and holder = ${holder}
            and status is null and (not wrote or ${outside && !effect})`)
        await tx.execute(sql`
          update idempotent_requests set held_until = ${database.clock.now()}
          where tenant_id = ${tenant} and caller = ${caller} and key = ${key} and holder = ${holder} and status is null`)
      })
    },
  }
}

/** Drops answers whose time is over. */
export function startIdempotencySweep(
  database: Database,
  { onError, pollMs = 60_000 }: { readonly onError: (error: unknown) => void; readonly pollMs?: number },
): Loop {
  return createLoop({
    step: async () => {
      const dropped = await database.asSystem('idempotency').write((tx) =>
        tx.execute(sql`
          delete from idempotent_requests where (tenant_id, caller, key) in (
            select tenant_id, caller, key from idempotent_requests
            where expires_at <= ${database.clock.now()} limit 5000)`),
      )
      return dropped === 5_000
    },
    pollMs,
    onError,
  })
}
