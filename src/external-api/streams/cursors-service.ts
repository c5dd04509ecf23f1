import type { Database } from '../../foundation/platform/database/database.ts'
import type { Principal } from '../../foundation/platform/http/principal.ts'
import { formatCursor } from '../../foundation/runtime/cursors.ts'
import {
  type DurableCursor,
  deleteDurableCursor,
  listDurableCursors,
  lockDurableCursor,
} from '../../foundation/runtime/durable-cursors.ts'
import { appendEvents } from '../../foundation/runtime/event-log.ts'
import type { CursorView } from './streams-contract.ts'
import { streamErrors } from './streams-errors.ts'

export interface CursorsOptions {
  readonly database: Database
  /** How long events are kept where no cursor holds them, ms. */
  readonly keepMs: number
  readonly onCommit: () => void
}

/** A reader that has moved within this time is at work, ms. */
const aliveMs = 3_600_000

/** The durable readers of the log, for who runs the installation: they decide how far back it must be kept. */
export class CursorsService {
  readonly #options: CursorsOptions

  constructor(options: CursorsOptions) {
    this.#options = options
  }

  async list(): Promise<CursorView[]> {
    const { database } = this.#options
    const cursors = await database.asSystem('streams').read(listDurableCursors)
    return cursors.map((cursor) => this.#view(cursor, database.clock.now()))
  }

  /** Throws `stream-cursor-not-found`, `stream-cursor-in-use`. */
  async remove(by: Principal, name: string, force: boolean): Promise<CursorView> {
    const { database, onCommit } = this.#options
    return database.asSystem('stream-cursors').write(async (tx) => {
      const cursor = await lockDurableCursor(tx, name)
      if (cursor === null) throw streamErrors['stream-cursor-not-found'](`there is no durable cursor ${name}`)
      const now = database.clock.now()
      const view = this.#view(cursor, now)
      if (!force && now.getTime() - cursor.movedAt.getTime() < aliveMs)
        throw streamErrors['stream-cursor-in-use'](`${name} moved at ${view.movedAt}`)
      await deleteDurableCursor(tx, name)
      const { tenant } = by
      const subject = { kind: 'stream-cursor', id: name, rev: 1 }
      const data = { cursor: view.cursor, movedAt: view.movedAt, unreadSince: view.unreadSince, by: by.id }
      await appendEvents(tx, [{ tenant, type: 'stream-cursor.removed', subject, runId: null, at: now, data }])
      tx.afterCommit(onCommit)
      return view
    })
  }

  #view({ name, position, movedAt, unreadSince, lost }: DurableCursor, now: Date): CursorView {
    return {
      name,
      cursor: formatCursor(position),
      movedAt: movedAt.toISOString(),
      unreadSince: unreadSince?.toISOString() ?? null,
      holdsBack: unreadSince !== null && now.getTime() - unreadSince.getTime() > this.#options.keepMs,
      lost,
    }
  }
}
