import { writeFileSync } from 'node:fs'
import type { SerializedError } from 'vitest'
import type { Reporter, TestCase, TestModule, Vitest } from 'vitest/node'

/** What scripts/test.mjs prints at the end and judges by. */
export interface TestSummary {
  readonly files: readonly FileSummary[]
  /** Errors that belong to no file. Each counts as a failure. */
  readonly unhandled: number
  /** Files that were to be run and did not come to their end. */
  readonly unfinished: number
}

/** Tests are named as `suite > test`. */
export interface FileSummary {
  readonly file: string
  readonly passed: number
  /** Tests, or 1 where the file could not be loaded or its hooks failed. */
  readonly failed: number
  readonly skippedNames: readonly string[]
  readonly passedNames: readonly string[]
  /** The tests that the file holds, as far as it could be loaded, but for those that it says are to be skipped. */
  readonly toRun: readonly string[]
  /** The failures in words. */
  readonly text: string
}

/** Files that take less are not worth a place in the order of a run, s. */
const worthOrder = 2

/**
 * Prints one line for each finished test file and writes the totals where `TEST_SUMMARY_FILE` says, and the seconds that
 * files took where `TEST_DURATIONS_FILE` says.
 */
export default class TestReporter implements Reporter {
  #vitest: Vitest | undefined
  #total = 0
  #done = 0
  readonly #durations = new Map<string, number>()

  onInit(vitest: Vitest): void {
    this.#vitest = vitest
  }

  onTestRunStart(specifications: readonly unknown[]): void {
    this.#total = specifications.length
    this.#print(`running ${this.#total} test files`)
  }

  onTestModuleEnd(module: TestModule): void {
    this.#done++
    const { passed, failed, skipped } = countModule(module)
    const parts = [
      `${passed} passed`,
      ...(failed ? [`${failed} FAILED`] : []),
      ...(skipped ? [`${skipped} skipped`] : []),
    ]
    const { duration, collectDuration } = module.diagnostic()
    const seconds = (duration / 1_000).toFixed(1)
    const whole = Math.round((duration + collectDuration) / 1_000)
    if (whole >= worthOrder) this.#durations.set(module.relativeModuleId, whole)
    this.#print(
      `[${this.#done}/${this.#total}] ${failed ? 'FAIL' : 'ok'} ${module.relativeModuleId}: ${parts.join(', ')} (${seconds}s)`,
    )
    if (failed) this.#print(describeFailures(module))
  }

  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    for (const error of unhandled) this.#print(`unhandled error\n${indent(describe(error))}`)
    const files = modules.map(summarise)
    const unfinished = this.#total - modules.filter((module) => hasEnded(module)).length
    const summary: TestSummary = { files, unhandled: unhandled.length, unfinished }
    const file = process.env.TEST_SUMMARY_FILE
    const durations = process.env.TEST_DURATIONS_FILE
    if (durations) writeFileSync(durations, `${JSON.stringify(sorted(this.#durations), null, 2)}\n`)
    if (file) writeFileSync(file, JSON.stringify(summary))
    else {
      const { passed, failed, skipped } = totalsOf(summary)
      this.#print(`${passed} passed, ${failed} failed, ${skipped} skipped`)
    }
  }

  #print(text: string): void {
    this.#vitest?.logger.log(text)
  }
}

function sorted(durations: ReadonlyMap<string, number>): Record<string, number> {
  return Object.fromEntries([...durations].sort(([a], [b]) => (a < b ? -1 : 1)))
}

function hasEnded(module: TestModule): boolean {
  const state = module.state()
  return state !== 'pending' && state !== 'queued'
}

export function totalsOf({ files, unhandled }: Pick<TestSummary, 'files' | 'unhandled'>) {
  const sum = (count: (file: FileSummary) => number) => files.reduce((total, file) => total + count(file), 0)
  return {
    passed: sum(({ passed }) => passed),
    failed: sum(({ failed }) => failed) + unhandled,
    skipped: sum(({ skippedNames }) => skippedNames.length),
  }
}

function summarise(module: TestModule): FileSummary {
  const { passed, failed } = countModule(module)
  const tests = [...module.children.allTests()]
  const names = (which: (test: TestCase) => boolean) => tests.filter(which).map(({ fullName }) => fullName)
  const isPassed = (test: TestCase) => test.result().state === 'passed'
  const isFailed = (test: TestCase) => test.result().state === 'failed'
  return {
    ...{ file: module.relativeModuleId, passed, failed, text: failed > 0 ? describeFailures(module) : '' },
    skippedNames: names((test) => !isPassed(test) && !isFailed(test)),
    passedNames: names(isPassed),
    toRun: names(({ options }) => options.mode !== 'skip' && options.mode !== 'todo'),
  }
}

/** A file that could not be loaded, or whose hooks failed, counts as one failure although no test of it failed. */
function countModule(module: TestModule): { passed: number; failed: number; skipped: number } {
  const counts = { passed: 0, failed: 0, skipped: 0 }
  for (const test of module.children.allTests()) {
    const { state } = test.result()
    if (state === 'passed') counts.passed++
    else if (state === 'failed') counts.failed++
    else counts.skipped++
  }
  if (counts.failed === 0 && module.state() === 'failed') counts.failed = 1
  return counts
}

function describeFailures(module: TestModule): string {
  const lines = module.errors().map((error) => indent(describe(error)))
  for (const test of module.children.allTests('failed')) {
    lines.push(`  x ${test.fullName}`, ...(test.result().errors ?? []).map((error) => indent(describe(error))))
  }
  return lines.join('\n')
}

function describe(error: SerializedError): string {
  const frames = (error.stacks ?? []).slice(0, 4).map((frame) => `at ${frame.file}:${frame.line}:${frame.column}`)
  const diff = typeof error.diff === 'string' ? [error.diff] : []
  return [`${error.name ?? 'Error'}: ${error.message}`, ...diff, ...frames].join('\n')
}

function indent(text: string): string {
  return text.replace(/^/gm, '      ')
}
