import { defineErrors } from './errors.ts'

const errors = defineErrors({
  'illegal-transition': {
    kind: 'conflict',
    retry: 'never',
    when: 'an operation does not apply to the present state of its subject',
    next: 'look at the present state (for example `leanvibe runs show`, `agents show`) and choose one that applies',
  },
})

/** A complete table: every state has an entry for every event, `null` where the pair is illegal. */
export type StateTable<State extends string, Event extends string> = Readonly<
  Record<State, Readonly<Record<Event, State | null>>>
>

/** The state after `event`, or an `illegal-transition` error that names subject, state and event. */
export function transition<State extends string, Event extends string>(
  table: StateTable<State, Event>,
  subject: string,
  state: State,
  event: Event,
): State {
  const next = table[state][event]
  if (next === null) {
    throw errors['illegal-transition'](`${subject} is ${state}: ${event} does not apply`, { details: { state, event } })
  }
  return next
}

/** All states from which `event` is legal, for guarded updates (`where state = any(...)`). */
export function statesAccepting<State extends string, Event extends string>(
  table: StateTable<State, Event>,
  event: Event,
): State[] {
  return (Object.keys(table) as State[]).filter((state) => table[state][event] !== null)
}
