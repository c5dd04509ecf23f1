import type { BatchAsk } from './batch-ask.ts'
import type { ReservationLine } from './spender-port.ts'
import type { NewReservation } from './sql/take-holds.ts'

/** The row of a wish that was granted, or that waits for a budget. */
export function newReservation(
  ask: BatchAsk,
  id: string,
  holds: readonly number[],
  lines: readonly ReservationLine[],
  waitsFor: string | null,
  holder: string,
): NewReservation {
  const { tenant, scopes, enforcement, attempt, priority = 5, purpose = '' } = ask.request
  return {
    ...{ tenant, id, enforcement, holder, priority, purpose, waitsFor },
    state: waitsFor === null ? 'held' : 'waiting',
    ifLost: ask.request.ifLost ?? (enforcement === 'metered' ? 'count' : 'release'),
    runId: scopes.run ?? null,
    taskId: scopes.task ?? null,
    attempt: attempt ?? null,
    agentId: scopes.agent ?? null,
    units: ask.units,
    holds: waitsFor === null ? holds : ask.units.map(() => 0),
    expected: ask.expected,
    budgetIds: lines.map((line) => line.budget),
    budgetUnits: lines.map((line) => ask.units.indexOf(line.unit) + 1),
    budgetWindows: lines.map((line) => line.window),
    expiresAt: ask.expiresAt,
  }
}
