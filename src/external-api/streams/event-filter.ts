import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { LoggedEvent } from '../../foundation/runtime/event-log.ts'

export interface EventFilter {
  readonly tenant: TenantId
  readonly run?: string | undefined
  /** Comma-separated types, `task.*` for all of a kind. */
  readonly types?: string | undefined
}

/** Whether an event is one the client asked for and may see. The tenant is always compared. */
export function eventFilter(filter: EventFilter): (event: LoggedEvent) => boolean {
  const wanted = (filter.types ?? '')
    .split(',')
    .map((type) => type.trim())
    .filter((type) => type !== '')
  const exact = new Set(wanted.filter((type) => !type.endsWith('.*')))
  const kinds = wanted.filter((type) => type.endsWith('.*')).map((type) => type.slice(0, -1))
  const typeFits = (type: string) =>
    wanted.length === 0 || exact.has(type) || kinds.some((kind) => type.startsWith(kind))
  return (event) =>
    event.tenant === filter.tenant && (filter.run === undefined || event.runId === filter.run) && typeFits(event.type)
}
