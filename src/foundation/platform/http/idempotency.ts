import { createHash } from 'node:crypto'
import { failpoint } from '../../kernel/failpoints.ts'
import type { TenantId } from '../../kernel/ids.ts'
import { httpErrors } from './http-errors.ts'

/** An answer as it left, so that a repeat can be given the same. */
export interface PreparedAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** Null where there is none. */
  readonly body: string | null
}

/** A write that its client may send again. */
export interface RepeatableWrite {
  readonly tenant: TenantId
  readonly caller: string
  readonly key: string
  /** SHA-256 of method, address and body. */
  readonly fingerprint: Buffer
  /**
   * It acts outside the database: from its beginning on nobody does it again, not even where the process dies, unless it is
   * released as one of which nothing came.
   */
  readonly outside: boolean
}

export type Beginning =
  | { readonly kind: 'fresh'; readonly holder: string }
  | { readonly kind: 'done'; readonly answer: PreparedAnswer }
  /** The first one is still under way. */
  | { readonly kind: 'busy'; readonly retryAfterMs: number }
  /** It took effect, or may have, and no answer is kept: whoever did it has ended, or failed, or has been at it for long. */
  | { readonly kind: 'unknown' }
  /** The key was used for another request. */
  | { readonly kind: 'other' }

/** Keeps the answers to writes that carried an Idempotency-Key. */
export interface IdempotencyStore {
  begin(write: RepeatableWrite): Promise<Beginning>
  /**
   * Runs `fn`: whatever it commits says, in the same transaction, that the write took effect, so that it is never done again.
   * A transaction is rolled back with `idempotency-busy` where another holder has taken over.
   */
  perform<T>(write: RepeatableWrite, holder: string, fn: () => Promise<T>): Promise<T>
  /** Keeps the answer for repeats. Nothing happens where another holder has taken over. */
  keep(write: RepeatableWrite, holder: string, answer: PreparedAnswer): Promise<void>
  /**
   * Forgets a write that came to nothing, so that a repeat does it; one that took effect in part stays known.
   * `effect`: whether one that acts outside the database did so.
   */
  release(write: RepeatableWrite, holder: string, effect: boolean): Promise<void>
}

/** The client's key, or null. Errors: `request-malformed` where it is longer than 255 characters or not printable. */
export function readIdempotencyKey(header: string | string[] | undefined): string | null {
  if (header === undefined || header === '') return null
  if (typeof header !== 'string' || !/^[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?$/.test(header)) {
    throw httpErrors['request-malformed']('Idempotency-Key is 1 to 255 printable ASCII characters')
  }
  return header
}

export function fingerprintOf(method: string, url: string, body: unknown): Buffer {
  const text = Buffer.isBuffer(body) ? body : JSON.stringify(body ?? null)
  return createHash('sha256').update(`${method} ${url}\n`).update(text).digest()
}

/** What came of a write. */
export interface Performed<T> {
  readonly answer: T
  /** What repeats are given; null: it is forgotten, and a repeat does it again. */
  readonly kept: PreparedAnswer | null
}

/** The answer to this request, or what was kept of the first with its key. */
export type Once<T> = { readonly answer: T } | { readonly replay: PreparedAnswer }

/**
 * Does a write once per key. A repeat gets what was kept of the first; failures that might pass another time are not kept.
 * Where a process dies in between, a repeat does what was not committed once the hold has run out, and is told
 * `idempotency-unknown` where it was, or where the write acts outside the database. `perform` calls `tookEffect` once such a
 * write cannot be taken back.
 */
export async function doOnce<T>(
  store: IdempotencyStore,
  write: RepeatableWrite,
  perform: (tookEffect: () => void) => Promise<Performed<T>>,
): Promise<Once<T>> {
  const beginning = await store.begin(write)
  switch (beginning.kind) {
    case 'done': {
      const { answer } = beginning
      return { replay: { ...answer, headers: { ...answer.headers, 'idempotency-replayed': 'true' } } }
    }
    case 'busy':
      throw httpErrors['idempotency-busy']('the request with this Idempotency-Key is still under way', {
        details: { retryAfterMs: beginning.retryAfterMs },
      })
    case 'unknown':
      throw httpErrors['idempotency-unknown'](
        write.outside
          ? 'the first request with this Idempotency-Key may have been done; its answer was lost, or is still to come'
          : 'the first request with this Idempotency-Key was done; its answer was lost',
      )
    case 'other':
      throw httpErrors['idempotency-mismatch']('this Idempotency-Key was sent with another request before')
    case 'fresh':
      return performAs(beginning.holder)
  }

  async function performAs(holder: string): Promise<Once<T>> {
    let effect = false
    const act = () =>
      perform(() => {
        effect = true
      })
    let done: Performed<T>
    try {
      done = await (write.outside ? act() : store.perform(write, holder, act))
    } catch (error) {
      await store.release(write, holder, effect)
      throw error
    }
    failpoint('idempotency.done')
    if (done.kept !== null) await store.keep(write, holder, done.kept)
    else await store.release(write, holder, effect)
    return { answer: done.answer }
  }
}
