import { didYouMean } from './did-you-mean.ts'
import type { Path, ProblemLog } from './problem.ts'
import { type StepKind, stepKinds } from './workflow-contract.ts'

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** What a step does, by the one key that says so; null, and reported, where none or several do. */
export function kindOfStep(
  step: unknown,
  path: Path,
  log: ProblemLog,
  allowed: readonly StepKind[] = stepKinds,
): StepKind | null {
  if (!isRecord(step)) {
    log.report(path, 'a step is a map of keys', { expected: `one of the keys ${allowed.join(', ')}` })
    return null
  }
  const found = stepKinds.filter((kind) => Object.hasOwn(step, kind))
  const [kind] = found
  if (kind === undefined) {
    const slip = Object.keys(step)
      .map((key) => [key, didYouMean(key, allowed)] as const)
      .find(([, hint]) => hint !== '')
    const detail = { expected: `one of the keys ${allowed.join(', ')}`, key: true }
    if (slip) log.report([...path, slip[0]], `unknown key "${slip[0]}"${slip[1]}`, detail)
    else log.report(path, 'nothing says what the step does', detail)
    return null
  }
  if (found.length > 1) {
    log.report([...path, found[1] as string], `a step does one thing, this one has ${found.join(' and ')}`, {
      key: true,
    })
    return null
  }
  if (Object.hasOwn(step, 'kind') && step.kind !== kind) {
    log.report([...path, 'kind'], `the step has the key ${kind} and says that it is ${JSON.stringify(step.kind)}`, {
      expected: kind,
    })
    return null
  }
  if (!allowed.includes(kind)) {
    log.report([...path, kind], `a ${kind} step cannot stand here`, {
      expected: `one of ${allowed.join(', ')}`,
      key: true,
    })
    return null
  }
  return kind
}
