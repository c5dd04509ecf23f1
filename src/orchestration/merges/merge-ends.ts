import type { JsonObject, JsonValue } from '../../foundation/kernel/json.ts'
import type { AttemptEnd } from '../agents/agent-adapter.ts'
import type { CheckReport, CheckResult } from '../gates/gate-verdict-contract.ts'
import type { ResolvedMerge } from '../workflows/task-contract.ts'
import type { BatchNote, Landed, MergeNote, MergeRecord } from './merge-journal.ts'
import { batchOf, type StackEntry } from './merge-stack.ts'

/** Nothing was checked, and nothing kept. */
export const nothing: Landed = { checks: [], artifacts: [] }

/** What the step of a merge puts out, whatever came of it. */
export function outputOf(spec: ResolvedMerge, reports: readonly CheckReport[], output: JsonObject): JsonObject {
  const none = { merged: false, commit: null, candidate: null, conflict: null, files: [], failed: '' }
  return { ...none, into: spec.into, checks: reports as unknown as JsonValue, ...output }
}

/** Of what the attempt of another has brought in, or a former one whose report was lost. */
export function knownEnd(spec: ResolvedMerge, { target, candidate, landed }: MergeRecord): AttemptEnd {
  const output = { state: 'merged', merged: true, commit: candidate, target }
  return {
    outcome: 'succeeded',
    output: outputOf(spec, landed?.checks ?? [], output),
    error: null,
    usage: landed?.usage ?? { cpuSeconds: 0, maxRssBytes: null, wallSeconds: 0 },
    artifacts: landed?.artifacts ?? [],
    survivors: 0,
  }
}

/** The same note for each of those that are tested together, with where each of them was put. */
export function notesOf(group: readonly StackEntry[], more: MergeNote = {}): BatchNote[] {
  const batch = batchOf(group)
  return group.map(({ merge: { taskId }, target, candidate, placed }) => ({
    taskId,
    note: { target, candidate, ...(placed === undefined ? {} : { placed }), batch, ...more },
  }))
}

/** For people. */
export function nameOf(group: readonly StackEntry[]): string {
  return group
    .map(({ merge: { step, item, runId } }) => `${step}${item === null ? '' : `[${item}]`} of ${runId}`)
    .join(', ')
}

/** What is told of checks in the story of a merge. */
export function checkedOf(reports: readonly CheckReport[]): { name: string; passed: boolean; summary?: string }[] {
  return reports.map(({ name, passed, summary }) => ({
    ...{ name, passed },
    ...(summary === undefined ? {} : { summary: summary.slice(0, 500) }),
  }))
}

/** What did not pass, with the end of what it printed, for whoever is to correct it. */
export function refusalText(reason: string, checks: readonly CheckResult[]): string {
  const failed = checks.filter(({ passed, onFail }) => !passed && onFail !== 'allow')
  const told = failed.map(({ name, summary, excerpt }) => {
    const lines = (excerpt ?? '').trimEnd().replaceAll(/^/gm, '      ')
    return `- ${name}: ${summary ?? 'did not pass'}${lines.trim() === '' ? '' : `\n\n${lines}`}`
  })
  return [reason, ...told].join('\n\n')
}
