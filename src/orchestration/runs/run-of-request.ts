import { createHash } from 'node:crypto'
import { isAppError } from '../../foundation/kernel/errors.ts'
import { createIds, type RunId, type TenantId } from '../../foundation/kernel/ids.ts'
import type { Database } from '../../foundation/platform/database/database.ts'
import type { RunRow } from './run-rows.ts'
import { findRun } from './runs-store.ts'

/** A request to start a run that its client may send again, to another server perhaps, until it has an answer. */
export interface RepeatableStart {
  readonly tenant: TenantId
  readonly caller: string
  /** Its Idempotency-Key. */
  readonly key: string
  /** What it asks for. */
  readonly content: unknown
}

/** A key that is used again after so long asks for another run, ms: answers are kept for as long. */
const keepMs = 86_400_000
/** After these a run may be there, whoever has made it. */
const doubtful: ReadonlySet<string> = new Set(['constraint-violated', 'commit-unknown', 'statement-failed'])

/**
 * Starts the run of a request, or returns the one that it has started before: its id follows from the request, so that
 * there can be no second one, also where the server that made it died before it could answer, or never heard whether its
 * COMMIT arrived. `request` null: nobody will repeat it.
 */
export async function startOnce(
  database: Database,
  request: RepeatableStart | null,
  start: (id: RunId | undefined) => Promise<RunRow>,
): Promise<RunRow> {
  if (request === null) return start(undefined)
  for (let use = 0; ; use++) {
    const id = runIdOf(request, use)
    try {
      return await start(id)
    } catch (error) {
      if (!isAppError(error) || !doubtful.has(error.code)) throw error
      const run = await database.forTenant(request.tenant).read((tx) => findRun(tx, request.tenant, id))
      if (run === null) throw error
      if (database.clock.now().getTime() - run.createdAt.getTime() < keepMs) return run
    }
  }
}

/** An id as any other, of which all comes from the request and how often its key was used before. */
export function runIdOf({ tenant, caller, key, content }: RepeatableStart, use: number): RunId {
  const digest = createHash('sha256')
    .update(JSON.stringify([tenant, caller, key, content, use]))
    .digest()
  const time = { now: () => new Date(digest.readUIntBE(0, 6)), monotonic: () => 0 }
  const random = { next: () => 0, bytes: (count: number) => digest.subarray(6, 6 + count) }
  return createIds(time, random).next<RunId>('run')
}
