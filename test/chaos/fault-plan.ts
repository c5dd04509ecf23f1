import { seededRandom } from '../../src/foundation/kernel/random.ts'

export const faultKinds = [
  'kill-work',
  'kill-serve',
  'stop-serve-in-tick',
  'stop-work-in-tick',
  'stop-work-past-lease',
  'stop-serve-past-lease',
  'silence-work',
  'silence-serve',
  'hold-work',
  'hold-serve',
  'break-connections',
  'clock-jump',
  'restart-postgres',
] as const
export type FaultKind = (typeof faultKinds)[number]

export interface Fault {
  readonly kind: FaultKind
  /** Milliseconds after the beginning. */
  readonly at: number
  /** Which of the processes of its kind, from 0; of all processes where the kind does not say. */
  readonly victim: number
  /** How long it lasts: until the process is started again, goes on, is heard again, or its clock is right again, ms. */
  readonly forMs: number
  /** Of a clock: by how much it is off then, ms. */
  readonly byMs: number
  /** Of a stop in mid-tick: the statement after which the process stands still. */
  readonly statement: string
}

export interface PlanSettings {
  readonly seed: number
  readonly faults: number
  readonly durationMs: number
  readonly serves: number
  readonly works: number
  /** Only faults of these kinds, to look at one closely. Default: all. */
  readonly kinds?: readonly FaultKind[]
}

/** Statements of a tick in which locks are held: of the shard, of tasks, of agents and steps. */
const statements = ['lock-shards', 'assign-tasks', 'apply-counters', 'complete-tasks'] as const
/** Longer than a runner may be silent (6 s) and than its task's lease is missed. */
const pastLeaseMs = 9_000
/** What is left of the time after a fault is over: until a process has started, or a statement to stop at has come. */
const restMs = 3_000

/** What is done to the fleet, decided by the seed alone. Every kind comes up before one comes up again; PostgreSQL's own restart once. */
export function planFaults(settings: PlanSettings): readonly Fault[] {
  const { seed, faults, durationMs, serves, works, kinds: wanted = faultKinds } = settings
  const random = seededRandom(seed)
  const upTo = (limit: number) => Math.floor(random.next() * (limit + 1))
  const kinds: FaultKind[] = []
  while (kinds.length < faults) {
    const round = wanted.filter((kind) => kind !== 'restart-postgres' || kinds.length === 0 || wanted.length === 1)
    kinds.push(...shuffled(round, upTo).slice(0, faults - kinds.length))
  }
  if (wanted.includes('restart-postgres') && !kinds.includes('restart-postgres'))
    kinds[upTo(kinds.length - 1)] = 'restart-postgres'
  const every = durationMs / faults
  return kinds.map((kind, n) => {
    const at = every * (n + 0.1 + random.next() * 0.6)
    const victims = kind.includes('serve') ? serves : kind.includes('work') ? works : serves + works
    const victim = upTo(victims - 1)
    const forMs = durationOf(kind, upTo)
    return {
      ...{ kind, victim, forMs },
      // All are over when the time is.
      at: Math.max(0, Math.round(Math.min(at, durationMs - forMs - restMs))),
      byMs: random.next() < 0.5 ? -300_000 : 300_000,
      statement: statements[upTo(statements.length - 1)]!,
    }
  })
}

function durationOf(kind: FaultKind, upTo: (limit: number) => number): number {
  if (kind.endsWith('past-lease')) return pastLeaseMs + upTo(2_000)
  if (kind.endsWith('in-tick')) return 500 + upTo(4_000)
  if (kind.startsWith('hold')) return 1_000 + upTo(9_000)
  if (kind === 'clock-jump') return 4_000 + upTo(16_000)
  if (kind === 'restart-postgres') return upTo(1_500)
  return upTo(2_000)
}

function shuffled<T>(items: readonly T[], upTo: (limit: number) => number): T[] {
  const rest = [...items]
  return items.map(() => rest.splice(upTo(rest.length - 1), 1)[0]!)
}
