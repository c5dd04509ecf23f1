import type { Database } from '../../foundation/platform/database/database.ts'
import { migrateErrors } from './migrate-errors.ts'
import { readMoves } from './moves-store.ts'

/** Closes and refuses a database that has moved: its runs go on elsewhere, and must not go on twice. */
export async function refuseMoved(database: Database): Promise<Database> {
  try {
    const moves = await database.asSystem('moves').read(readMoves)
    const out = moves.find((move) => move.direction === 'out')
    if (out === undefined) return database
    const { place, begunAt, endedAt } = out
    throw migrateErrors['database-moved'](
      endedAt === null
        ? `a move of this database to ${place} was begun at ${begunAt.toISOString()} and has not ended`
        : `this database was moved to ${place} at ${endedAt.toISOString()}`,
      { details: { place, begunAt, endedAt } },
    )
  } catch (error) {
    await database.close()
    throw error
  }
}
