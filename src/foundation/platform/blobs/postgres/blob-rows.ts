import type { TenantId } from '../../../kernel/ids.ts'
import type { ReadTx, Tx } from '../../database/database.ts'
import { sql } from '../../database/sql.ts'
import type { StoredBlob } from '../blob-store.ts'

export const pieceBytes = 262_144

/** The row that stands for the whole blob: chunk -1. The size of an upload under way is null. */
export interface BlobHeader {
  readonly size: number
  readonly sha256: string
  readonly stored_at: Date
}

/** The name of a blob that is not whole yet; no key contains a question mark. */
export function uploadName(path: string, id: string): string {
  return `${path}?${id}`
}

export async function insertHeader(
  tx: Tx,
  tenant: TenantId,
  path: string,
  stored: StoredBlob | null,
  now: Date,
): Promise<void> {
  await tx.execute(sql`
    insert into blobs (tenant_id, key, chunk, bytes, size, sha256, stored_at)
    values (${tenant}, ${path}, -1, '', ${stored?.bytes ?? null}, ${stored?.sha256 ?? null}, ${now})`)
}

/** Each piece is a statement of its own, sent without waiting: bytes travel raw only as a lone parameter. */
export async function insertPieces(
  tx: Tx,
  tenant: TenantId,
  path: string,
  first: number,
  pieces: readonly Buffer[],
): Promise<void> {
  await Promise.all(
    pieces.map((piece, index) =>
      tx.execute(sql`
        insert into blobs (tenant_id, key, chunk, bytes) values (${tenant}, ${path}, ${first + index}, ${piece})`),
    ),
  )
}

export async function renamePieces(tx: Tx, tenant: TenantId, from: string, to: string): Promise<void> {
  await tx.execute(sql`delete from blobs where tenant_id = ${tenant} and key = ${from} and chunk = -1`)
  await tx.execute(sql`update blobs set key = ${to} where tenant_id = ${tenant} and key = ${from}`)
}

/** Two that put the same key take turns: the later one replaces the earlier. */
export async function lockKey(tx: Tx, tenant: TenantId, path: string): Promise<void> {
  await tx.query(sql`select pg_advisory_xact_lock(hashtextextended(${`${tenant}/${path}`}, 2))`)
}

export async function deleteBlob(tx: Tx, tenant: TenantId, path: string): Promise<void> {
  await tx.execute(sql`delete from blobs where tenant_id = ${tenant} and key = ${path}`)
}

export async function findHeader(tx: ReadTx, tenant: TenantId, path: string): Promise<BlobHeader | null> {
  const [row] = await tx.query<BlobHeader>(sql`
    select size, sha256, stored_at from blobs where tenant_id = ${tenant} and key = ${path} and chunk = -1`)
  return row ?? null
}

/** Pieces `first` up to and without `end`, as long as the blob is still the one of `header`. */
export async function readPieces(
  tx: ReadTx,
  tenant: TenantId,
  path: string,
  header: BlobHeader,
  first: number,
  end: number,
): Promise<readonly Buffer[]> {
  const rows = await tx.query<{ bytes: Buffer }>(sql`
    select p.bytes from blobs h join blobs p on p.tenant_id = h.tenant_id and p.key = h.key
    where h.tenant_id = ${tenant} and h.key = ${path} and h.chunk = -1 and h.sha256 = ${header.sha256} and h.size = ${header.size}
      and p.chunk >= ${first} and p.chunk < ${end}
    order by p.chunk`)
  return rows.map((row) => row.bytes)
}

/** Whole blobs whose path begins with `prefix`, after `after`. The range is one of bytes: paths are ASCII. */
export async function listHeaders(
  tx: ReadTx,
  tenant: TenantId,
  prefix: string,
  after: string,
  limit: number,
): Promise<readonly (BlobHeader & { readonly key: string })[]> {
  return tx.query(sql`
    select key, size, sha256, stored_at from blobs
    where tenant_id = ${tenant} and chunk = -1 and size is not null
      and key >= ${prefix} and key < ${`${prefix}\u007f`} and key > ${after}
    order by key limit ${limit}`)
}

/** Hops from tenant to tenant along the index. */
export async function listTenants(tx: ReadTx): Promise<readonly TenantId[]> {
  const rows = await tx.query<{ tenant_id: TenantId }>(sql`
    with recursive hop as (
      (select tenant_id from blobs where chunk = -1 order by tenant_id limit 1)
      union all
      select (select b.tenant_id from blobs b where b.chunk = -1 and b.tenant_id > hop.tenant_id order by b.tenant_id limit 1)
      from hop where hop.tenant_id is not null)
    select tenant_id from hop where tenant_id is not null`)
  return rows.map((row) => row.tenant_id)
}

export async function deleteUploads(tx: Tx, before: Date): Promise<number> {
  const stale = await tx.query<{ tenant_id: TenantId; key: string }>(sql`
    select tenant_id, key from blobs where chunk = -1 and size is null and stored_at < ${before} limit 1000`)
  for (const { tenant_id, key } of stale) await deleteBlob(tx, tenant_id, key)
  return stale.length
}
