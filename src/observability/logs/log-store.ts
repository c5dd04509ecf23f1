import { StringDecoder } from 'node:string_decoder'
import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { Database, ReadTx } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'
import type { LogChunk } from '../../orchestration/runners/log-sink.ts'

/** A piece of output as it is kept: text, with what was no valid UTF-8 replaced. */
export interface LogRow {
  readonly taskId: string
  readonly fence: number
  readonly part: number
  readonly stream: 'stdout' | 'stderr'
  readonly at: Date
  readonly text: string
}

/** What attempts print. Written in batches by runners; a batch that comes twice is kept once. */
export class LogStore {
  readonly #database: Database
  // Characters cut between two chunks wait here for their rest, by attempt and stream.
  readonly #decoders = new Map<string, StringDecoder>()

  constructor(database: Database) {
    this.#database = database
  }

  async append(chunks: readonly LogChunk[]): Promise<void> {
    for (const [tenant, own] of Map.groupBy(chunks, (chunk) => chunk.tenant)) {
      const texts = own.map((chunk) => this.#decode(chunk))
      await this.#database.forTenant(tenant).write((tx) =>
        tx.execute(sql`
          insert into log_chunks (tenant_id, task_id, fence, part, run_id, stream, at, text)
          select ${tenant}, * from unnest(${own.map((c) => c.taskId)}::text[], ${own.map((c) => c.fence)}::bigint[],
            ${own.map((c) => c.seq)}::int[], ${own.map((c) => c.runId)}::text[], ${own.map((c) => c.stream)}::text[],
            ${own.map((c) => c.at)}::timestamptz[], ${texts}::text[])
          on conflict do nothing`),
      )
    }
  }

  #decode(chunk: LogChunk): string {
    const key = `${chunk.fence}/${chunk.stream}`
    const decoder = this.#decoders.get(key) ?? new StringDecoder('utf8')
    this.#decoders.delete(key)
    this.#decoders.set(key, decoder)
    if (this.#decoders.size > 2_000) this.#decoders.delete(this.#decoders.keys().next().value!)
    // PostgreSQL cannot keep NUL in text.
    return decoder.write(Buffer.from(chunk.bytes)).replaceAll('\0', '\u{FFFD}')
  }
}

export interface LogPlace {
  readonly at: Date
  readonly taskId: string
  readonly fence: number
  readonly part: number
}

/** A page of what the tasks of a run printed, in the order of arrival, after the given place. */
export async function readLogs(
  tx: ReadTx,
  where: {
    readonly tenant: TenantId
    readonly runId: string
    readonly taskPrefix: string | null
    readonly after: LogPlace | null
    readonly limit: number
  },
): Promise<readonly LogRow[]> {
  const { after } = where
  return tx.query<LogRow>(sql`
    select task_id as "taskId", fence, part, stream, at, text from log_chunks
    where tenant_id = ${where.tenant} and run_id = ${where.runId}
      and (${where.taskPrefix}::text is null or task_id = ${where.taskPrefix} or starts_with(task_id, ${where.taskPrefix} || '.'))
      and (${after?.at ?? null}::timestamptz is null or (at, task_id, fence, part) >
        (${after?.at ?? null}::timestamptz, ${after?.taskId ?? null}, ${after?.fence ?? null}::bigint, ${after?.part ?? null}::int))
    order by at, task_id, fence, part limit ${where.limit}`)
}
