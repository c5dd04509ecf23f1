import { Cron } from 'croner'
import { defineErrors, messageOf } from '../../kernel/errors.ts'

const errors = defineErrors({
  'cron-invalid': {
    kind: 'input',
    retry: 'never',
    when: 'a cron expression or a time zone is not understood, or the time never comes',
    next: 'write five fields such as `30 6 * * 1-5`, or @hourly, @daily, @weekly, @monthly, and a zone such as Europe/Berlin',
  },
})

/** When something is to happen: five fields (minute, hour, day, month, weekday) or a nickname such as `@daily`. */
export interface CronRule {
  readonly cron: string
  /** IANA name, for example `Europe/Berlin`. */
  readonly timeZone: string
}

const nicknames: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
}

/** The rule as it is kept. Throws `cron-invalid` for what is no cron expression, no time zone, or never comes. */
export function parseCronRule(rule: CronRule, now: Date): CronRule {
  const cron = rule.cron.trim().replaceAll(/\s+/g, ' ')
  const kept = { cron, timeZone: timeZoneOf(rule.timeZone) }
  if (nextSlot(kept, now) === null) throw errors['cron-invalid'](`${JSON.stringify(cron)} never comes`)
  return kept
}

/**
 * The first slot after `after`, as an instant; null when there is none. Where clocks go forward, a time that is left out
 * comes at the end of the gap; where they go back, a time of day that is named comes once, and one that is stepped over
 * (every hour, every ten minutes) comes as often as the clock shows it.
 */
export function nextSlot(rule: CronRule, after: Date): Date | null {
  return evaluatorOf(rule).nextRun(after)
}

/** The slots after `after` up to `until` (included), oldest first, at most `most`. */
export function slotsBetween(rule: CronRule, after: Date, until: Date, most: number): readonly Date[] {
  const evaluator = evaluatorOf(rule)
  const slots: Date[] = []
  for (let at = evaluator.nextRun(after); at !== null && at <= until; at = evaluator.nextRun(at)) {
    if (slots.length === most) break
    slots.push(at)
  }
  return slots
}

/** The last slot at or before `at`; null when there is none. */
export function lastSlot(rule: CronRule, at: Date): Date | null {
  const [slot] = evaluatorOf(rule).previousRuns(1, new Date(at.getTime() + 1_000 - (at.getTime() % 1_000)))
  return slot ?? null
}

const evaluators = new Map<string, Cron>()
const mostKept = 1_000

/** Parsed rules are kept: they hold no state, and are asked again and again. */
function evaluatorOf(rule: CronRule): Cron {
  const key = `${rule.timeZone} ${rule.cron}`
  const known = evaluators.get(key)
  if (known !== undefined) return known
  const evaluator = parse(rule)
  if (evaluators.size >= mostKept) evaluators.clear()
  evaluators.set(key, evaluator)
  return evaluator
}

function parse({ cron, timeZone }: CronRule): Cron {
  try {
    return new Cron(nicknames[cron.toLowerCase()] ?? cron, { timezone: timeZone, mode: '5-part', paused: true })
  } catch (error) {
    throw errors['cron-invalid'](
      `${JSON.stringify(cron)} is not a cron expression: ${messageOf(error).replace(/^Cron\w+: /, '')}`,
      { cause: error },
    )
  }
}

function timeZoneOf(name: string): string {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone
  } catch (cause) {
    throw errors['cron-invalid'](`${JSON.stringify(name)} is not a time zone; write Europe/Berlin or UTC`, {
      cause,
    })
  }
}
