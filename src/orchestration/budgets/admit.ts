/** What a budget still admits, as its locked row says. */
export interface Account {
  readonly id: string
  /** Null: no hard limit. */
  readonly room: number | null
}

export interface AskedUnit {
  readonly hold: number
  /** Less will do, down to this. */
  readonly least: number
  /** Keys of the accounts that it counts against. */
  readonly accounts: readonly string[]
}

export interface Ask {
  readonly priority: number
  /** What will probably be spent, in the first unit; the smaller goes first among equals. */
  readonly expected: number
  readonly units: readonly AskedUnit[]
  /** What it holds already, by account: it is given back in the same moment. */
  readonly credit?: ReadonlyMap<string, number>
}

export type Verdict =
  | { readonly kind: 'granted'; readonly amounts: readonly number[] }
  /** `budget` has no room for it now. */
  | { readonly kind: 'refused'; readonly budget: string }

/**
 * Admits one by one, by priority, then the smaller expectation, then the order of arrival: who does not fit is passed over, so
 * that a great wish does not stop the small ones behind it. Never admits beyond a limit.
 */
export function admit(asks: readonly Ask[], accounts: ReadonlyMap<string, Account>): readonly Verdict[] {
  const room = new Map([...accounts].map(([key, account]) => [key, account.room ?? Number.POSITIVE_INFINITY]))
  const verdicts: Verdict[] = new Array(asks.length)
  const order = asks
    .map((ask, index) => ({ ask, index }))
    .sort((a, b) => b.ask.priority - a.ask.priority || a.ask.expected - b.ask.expected || a.index - b.index)
  for (const { ask, index } of order) {
    verdicts[index] = admitOne(ask, room, accounts)
  }
  return verdicts
}

function admitOne(ask: Ask, room: Map<string, number>, accounts: ReadonlyMap<string, Account>): Verdict {
  const amounts: number[] = []
  for (const unit of ask.units) {
    let amount = unit.hold
    for (const key of unit.accounts) {
      const left = room.get(key)! + (ask.credit?.get(key) ?? 0)
      // Even where nothing is held, because it is told afterwards, something must be left.
      if (left < Math.max(1, unit.least)) return { kind: 'refused', budget: accounts.get(key)!.id }
      amount = Math.min(amount, left)
    }
    amounts.push(amount)
  }
  ask.units.forEach((unit, n) => {
    for (const key of unit.accounts) room.set(key, room.get(key)! + (ask.credit?.get(key) ?? 0) - amounts[n]!)
  })
  return { kind: 'granted', amounts }
}
