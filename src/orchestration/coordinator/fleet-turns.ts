import { randomUUID } from 'node:crypto'
import type { Strategy } from '../../foundation/balancing/candidate.ts'
import type { ReadTx, Tx } from '../../foundation/platform/database/database.ts'
import { postTurns, readTurns, type TurnKey } from './sql/pool-turns.ts'

/** A strategy that goes round, where it is in use. */
export interface Going extends TurnKey {
  readonly turn: NonNullable<Strategy['turn']>
}

interface Known {
  /** The last stamp of somebody else that was seen. */
  stamp: string | null
  /** What was written last, or found. */
  state: string
}

/**
 * Lets all processes go round together: each goes on where the last one was, as the lock of a shard lets one tick at a time.
 * A process that wrote last keeps to its memory, which knows of its transactions under way, too. Costs a read and a write for
 * each tick with such strategies, and nothing without.
 */
export class FleetTurns {
  readonly #self: string
  readonly #known = new Map<string, Known>()
  #count = 0

  constructor(self: string = randomUUID()) {
    this.#self = self
  }

  /** Takes over what others have done since. Call it right before the decision, in its transaction. */
  async follow(tx: ReadTx, all: readonly Going[]): Promise<void> {
    if (all.length === 0) return
    const rows = new Map((await readTurns(tx, all)).map((row) => [keyOf(row), row]))
    for (const going of all) {
      const row = rows.get(keyOf(going))
      const known = this.#of(going)
      if (row === undefined || row.stamp.startsWith(`${this.#self}:`) || row.stamp === known.stamp) continue
      known.stamp = row.stamp
      going.turn.resume(row.state)
      known.state = JSON.stringify(going.turn.read())
    }
  }

  /** Tells others what this decision did. */
  tell(tx: Tx, all: readonly Going[]): void {
    const changed = all.flatMap((going) => {
      const state = going.turn.read()
      const text = JSON.stringify(state)
      const known = this.#of(going)
      if (text === known.state) return []
      known.state = text
      const { tenant, pool, strategy } = going
      return [{ tenant, pool, strategy, state, stamp: `${this.#self}:${++this.#count}` }]
    })
    if (changed.length > 0) postTurns(tx, changed)
  }

  #of(key: TurnKey): Known {
    const name = keyOf(key)
    let known = this.#known.get(name)
    if (known === undefined) {
      known = { stamp: null, state: '' }
      this.#known.set(name, known)
    }
    return known
  }
}

function keyOf({ tenant, pool, strategy }: TurnKey): string {
  return `${tenant}/${pool}/${strategy}`
}
