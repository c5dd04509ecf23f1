import type { JsonObject, JsonValue } from '../../foundation/kernel/json.ts'
import type { ResolvedGate } from '../workflows/task-contract.ts'
import type { OnFail, Severity } from './checks-contract.ts'

/** What one check of a gate found, as its runner reports it. */
export interface CheckReport {
  readonly name: string
  readonly passed: boolean
  /** How grave it is by the rules of the check itself; an `onFail` outranks it. */
  readonly level?: Severity
  /** One line for people. */
  readonly summary?: string
  /** There was nothing to do: the repository has no such command, or nothing changed. */
  readonly skipped?: boolean
  /** Name of the artifact that holds the evidence. */
  readonly evidence?: string
  /** The end of the evidence of a check that did not pass, for whoever is to correct it. */
  readonly excerpt?: string
  /** For programs: figures, commands. */
  readonly facts?: JsonObject
}

export interface CheckResult {
  readonly name: string
  readonly passed: boolean
  readonly onFail: OnFail
  readonly summary?: string
  readonly evidence?: string
  readonly excerpt?: string
}

export interface GateVerdict {
  readonly verdict: 'pass' | 'review' | 'block'
  readonly checks: readonly CheckResult[]
}

/**
 * Judges a gate: conditions were evaluated when it was resolved, everything else reports `{ checks: [CheckReport] }`. A
 * check that reported nothing counts as failed.
 */
export function gateVerdict(gate: Pick<ResolvedGate, 'checks'>, output: JsonValue): GateVerdict {
  const reported = reportedChecks(output)
  const checks = gate.checks.map((check): CheckResult => {
    if ('passed' in check) {
      const { name, onFail, passed, summary } = check
      return { name, onFail, passed, ...(summary === undefined ? {} : { summary }) }
    }
    const report = reported.get(check.name)
    return {
      name: check.name,
      onFail: check.onFail ?? (report?.level === 'review' ? 'review' : 'block'),
      passed: report?.passed === true,
      ...(typeof report?.summary === 'string' ? { summary: report.summary } : {}),
      ...(typeof report?.evidence === 'string' ? { evidence: report.evidence } : {}),
      ...(typeof report?.excerpt === 'string' ? { excerpt: report.excerpt } : {}),
    }
  })
  const failed = checks.filter((check) => !check.passed)
  if (failed.some((check) => check.onFail === 'block')) return { verdict: 'block', checks }
  return { verdict: failed.some((check) => check.onFail === 'review') ? 'review' : 'pass', checks }
}

function reportedChecks(output: JsonValue): ReadonlyMap<string, CheckReport> {
  const checks = (output as JsonObject | null)?.checks
  if (!Array.isArray(checks)) return new Map()
  return new Map((checks as unknown as CheckReport[]).map((check) => [check.name, check]))
}

/** The same with what each came to, for people: the names alone send them to the evidence for every word. */
export function failureText({ checks }: GateVerdict): string {
  const told = checks
    .filter(({ passed }) => !passed)
    .map(({ name, summary }) => (summary ? `${name} (${summary})` : name))
  return told.join(', ')
}

export function failedChecks(verdict: GateVerdict): string {
  return verdict.checks
    .filter((check) => !check.passed)
    .map((check) => check.name)
    .join(', ')
}
