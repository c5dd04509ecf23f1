import type { JsonObject, JsonValue } from '../../foundation/kernel/json.ts'
import type { ResolvedGate } from '../workflows/task-contract.ts'

export interface CheckResult {
  readonly name: string
  readonly passed: boolean
  readonly onFail: 'block' | 'review' | 'allow'
}

export interface GateVerdict {
  readonly verdict: 'pass' | 'review' | 'block'
  readonly checks: readonly CheckResult[]
}

/**
 * Judges a gate: conditions were evaluated when it was resolved, commands report `{ checks: [{ name, passed }] }`. A command
 * that reported nothing counts as failed.
 */
export function gateVerdict(gate: ResolvedGate, output: JsonValue): GateVerdict {
  const reported = reportedChecks(output)
  const checks = gate.checks.map((check) => ({
    name: check.name,
    onFail: check.onFail,
    passed: 'passed' in check ? check.passed : reported.get(check.name) === true,
  }))
  const failed = checks.filter((check) => !check.passed)
  if (failed.some((check) => check.onFail === 'block')) return { verdict: 'block', checks }
  return { verdict: failed.some((check) => check.onFail === 'review') ? 'review' : 'pass', checks }
}

function reportedChecks(output: JsonValue): ReadonlyMap<string, boolean> {
  const checks = (output as JsonObject | null)?.checks
  if (!Array.isArray(checks)) return new Map()
  return new Map((checks as { name: string; passed: boolean }[]).map((check) => [check.name, check.passed]))
}

export function failedChecks(verdict: GateVerdict): string {
  return verdict.checks
    .filter((check) => !check.passed)
    .map((check) => check.name)
    .join(', ')
}
