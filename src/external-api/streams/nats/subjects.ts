import type { LoggedEvent } from '../../../foundation/runtime/event-log.ts'

/** The JetStream stream that holds the events of all tenants. */
export const streamName = 'LV'
export const allSubjects = 'lv.>'

/** `lv.<tenant>.<type>`: the words of a type are words of the subject. */
export function subjectOf(event: Pick<LoggedEvent, 'tenant' | 'type'>): string {
  return `lv.${word(event.tenant)}.${event.type.split('.').map(word).join('.')}`
}

export function tenantSubjects(tenant: string): string {
  return `lv.${word(tenant)}.>`
}

/** What NATS would take for a wildcard, a separator or the end must not stand in a word. */
function word(text: string): string {
  return text.replace(/[^A-Za-z0-9_-]/g, '_') || '_'
}
