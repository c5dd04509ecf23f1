import type { ReadTx, Tx } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'

export interface Move {
  readonly id: string
  readonly direction: 'out' | 'in'
  readonly place: string
  readonly begunAt: Date
  readonly endedAt: Date | null
}

export async function readMoves(tx: ReadTx): Promise<readonly Move[]> {
  return tx.query<Move>(sql`
    select id, direction, place, begun_at as "begunAt", ended_at as "endedAt" from moves order by begun_at`)
}

export async function insertMove(tx: Tx, { id, direction, place, begunAt, endedAt }: Move): Promise<void> {
  await tx.execute(sql`
    insert into moves (id, direction, place, begun_at, ended_at)
    values (${id}, ${direction}, ${place}, ${begunAt}, ${endedAt})`)
}

export async function endMove(tx: Tx, id: string, at: Date): Promise<void> {
  await tx.execute(sql`update moves set ended_at = ${at} where id = ${id}`)
}

/** Returns how many there were. */
export async function deleteMovesOut(tx: Tx): Promise<number> {
  return tx.execute(sql`delete from moves where direction = 'out'`)
}
