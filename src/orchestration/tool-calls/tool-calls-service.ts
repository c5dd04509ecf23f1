import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { Database } from '../../foundation/platform/database/database.ts'
import { appendEvents, type NewEvent } from '../../foundation/runtime/event-log.ts'
import type { KeepNotes, LeasedNote } from './tool-call-notes.ts'
import { putToolCalls, toolCallId } from './tool-calls-store.ts'

/**
 * Keeps what agents tell of their tool calls, each change with its event. What is told twice, or after its end, changes
 * nothing.
 */
export function createToolCallKeeper(database: Database, onCommit: () => void): KeepNotes {
  return async (notes) => {
    for (const [tenant, own] of Map.groupBy(notes, (note) => note.tenant)) await keep(database, tenant, own)
    onCommit()
  }
}

async function keep(database: Database, tenant: TenantId, notes: readonly LeasedNote[]): Promise<void> {
  // A call that began and ended meanwhile is one row and two events.
  const newest = new Map<string, LeasedNote>()
  for (const note of notes) {
    const known = newest.get(toolCallId(note))
    if (known === undefined || known.state === 'started') newest.set(toolCallId(note), note)
  }
  await database.forTenant(tenant).write(async (tx) => {
    const now = database.clock.now()
    const changed = await putToolCalls(tx, tenant, [...newest.values()])
    await appendEvents(
      tx,
      [...newest].flatMap(([id, note]) => eventsOf(id, note, changed.get(id), now)),
    )
  })
}

function eventsOf(id: string, note: LeasedNote, change: 'new' | 'ended' | undefined, at: Date): readonly NewEvent[] {
  if (change === undefined) return []
  const { tenant, runId, taskId, step, item, attempt, source, tool, kind, title, startedAt } = note
  const base = { tenant, runId, at }
  const subject = (rev: number) => ({ kind: 'tool-call', id, rev })
  const data = { step, taskId, item, attempt, source, tool, kind, title, startedAt }
  const { state, calls, failed, refused, durationMs } = note
  if (state === 'gathered') {
    const sums = { calls, failed, refused, durationMs }
    return [{ ...base, type: 'tool-call.gathered', subject: subject(1), data: { ...data, ...sums } }]
  }
  const started: NewEvent[] =
    change === 'new' ? [{ ...base, type: 'tool-call.started', subject: subject(1), data }] : []
  if (state === 'started') return started
  return [...started, { ...base, type: 'tool-call.ended', subject: subject(2), data: { ...data, state, durationMs } }]
}
