import { type CronRule, nextSlot, slotsBetween } from '../../foundation/platform/calendar/cron.ts'

/** What happens with slots whose time passed while nobody looked: none, the newest, or all of the window. */
export type CatchUp = 'skip' | 'latest' | 'all'

export interface SlotRule extends CronRule {
  readonly catchUp: CatchUp
  /** How far back slots are made up for, ms. Older ones are missed whatever `catchUp` says. */
  readonly catchUpWindowMs: number
  /** A slot starts up to this much later, by an amount that is fixed for it, ms. 0: at once. */
  readonly jitterMs: number
  /** Makes the jitter of one schedule different from that of others. */
  readonly seed: string
}

export interface SlotPlan {
  /** To be started, oldest first. */
  readonly start: readonly Date[]
  readonly missed: readonly Date[]
  /** Every slot up to this one is decided. */
  readonly lastSlotAt: Date
  /** When to look again; null: never. */
  readonly dueAt: Date | null
}

/** A slot is not late within this time: processes pause, and looks are a second apart. */
export const onTimeMs = 60_000
/** Slots looked at, and slots started, in one go. */
const mostSeen = 2_000
const mostStarted = 50

/**
 * Decides every slot after `lastSlotAt` whose time has come at `now`. The place only moves forward: a clock that jumps
 * back decides nothing twice, one that jumps ahead makes slots late, and `catchUp` says what becomes of them.
 */
export function planSlots(rule: SlotRule, lastSlotAt: Date, now: Date): SlotPlan {
  // Slots before it are too old, whatever the policy: they are passed over without being counted.
  const oldest = new Date(now.getTime() - Math.max(rule.catchUpWindowMs, onTimeMs) - rule.jitterMs)
  const from = lastSlotAt < oldest ? oldest : lastSlotAt
  const seen = slotsBetween(rule, from, now, mostSeen)
  const firstEarly = seen.findIndex((slot) => dueOf(rule, slot) > now)
  const due = firstEarly < 0 ? seen : seen.slice(0, firstEarly)
  const more = firstEarly < 0 && seen.length === mostSeen
  if (due.length === 0) return { start: [], missed: [], lastSlotAt: from, dueAt: nextDue(rule, from) }

  const start = chooseStarts(rule, due, now, more)
  const decided = rule.catchUp === 'all' ? upTo(due, start) : due
  const started = new Set(start)
  const last = decided.at(-1)!
  return {
    start,
    missed: decided.filter((slot) => !started.has(slot)),
    lastSlotAt: last,
    dueAt: more || decided.length < due.length ? now : nextDue(rule, last),
  }
}

/** When the run of a slot starts: the same in every process. */
export function dueOf(rule: Pick<SlotRule, 'jitterMs' | 'seed'>, slot: Date): Date {
  if (rule.jitterMs <= 0) return slot
  return new Date(slot.getTime() + (hash(`${rule.seed}/${slot.toISOString()}`) % (rule.jitterMs + 1)))
}

function chooseStarts(rule: SlotRule, due: readonly Date[], now: Date, more: boolean): readonly Date[] {
  if (rule.catchUp === 'all') {
    const horizon = now.getTime() - Math.max(rule.catchUpWindowMs, onTimeMs) - rule.jitterMs
    return due.filter((slot) => slot.getTime() >= horizon).slice(0, mostStarted)
  }
  if (more) return []
  if (rule.catchUp === 'latest') return due.slice(-1)
  return due.filter((slot) => now.getTime() - dueOf(rule, slot).getTime() <= onTimeMs)
}

/** The slots up to the last that is started; all of them when none is. */
function upTo(due: readonly Date[], start: readonly Date[]): readonly Date[] {
  const last = start.at(-1)
  return last === undefined || start.length < mostStarted ? due : due.filter((slot) => slot <= last)
}

function nextDue(rule: SlotRule, after: Date): Date | null {
  const slot = nextSlot(rule, after)
  return slot === null ? null : dueOf(rule, slot)
}

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let value = 0x811c9dc5
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193)
  return value >>> 0
}
