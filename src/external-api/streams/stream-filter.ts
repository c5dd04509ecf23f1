import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { JsonObject } from '../../foundation/kernel/json.ts'
import type { LoggedEvent } from '../../foundation/runtime/event-log.ts'
import { typeFilter } from './event-types-contract.ts'
import type { GroupFilter } from './streams-contract.ts'

/** Whether an event is one that was asked for and may be seen. The tenant is always compared, and first. */
export function streamFilter(tenant: TenantId, filter: GroupFilter): (event: LoggedEvent) => boolean {
  const { run, agent, subject } = filter
  const fits = typeFilter(
    (filter.types ?? '')
      .split(',')
      .map((type) => type.trim())
      .filter((type) => type !== ''),
  )
  const [kind, id] = subject === undefined ? [] : splitSubject(subject)
  return (event) =>
    event.tenant === tenant &&
    (run === undefined || event.runId === run) &&
    (kind === undefined || (event.subject.kind === kind && (id === null || event.subject.id === id))) &&
    (agent === undefined || agentOf(event) === agent) &&
    fits(event.type)
}

/** Filters of equal meaning have the same key. */
export function filterKey(tenant: TenantId, { types, run, agent, subject }: GroupFilter): string {
  return JSON.stringify([tenant, types ?? null, run ?? null, agent ?? null, subject ?? null])
}

function splitSubject(subject: string): [string, string | null] {
  const slash = subject.indexOf('/')
  return slash === -1 ? [subject, null] : [subject.slice(0, slash), subject.slice(slash + 1)]
}

function agentOf(event: LoggedEvent): string | null {
  if (event.subject.kind === 'agent') return event.subject.id
  const { data } = event
  const agent =
    typeof data === 'object' && data !== null && !Array.isArray(data) ? (data as JsonObject).agent : undefined
  return typeof agent === 'string' ? agent : null
}
