import { findingsUnder } from '../kit/finding.ts'
import type { Finding } from '../repo-checkup/result.ts'
import { plural } from '../repo-checkup/result.ts'
import type { TestOutcome } from './read-results.ts'

const finding = findingsUnder('tests')

/** One run of all tests. */
export interface TestRun {
  readonly exitCode: number | null
  readonly ms: number
  readonly end: string
  readonly tests: readonly TestOutcome[]
  /** The last lines of what it printed. */
  readonly tail: string
}

export interface TestVerdict {
  readonly runs: number
  readonly passed: number
  readonly tests: number
  readonly flaky: readonly { readonly name: string; readonly passed: number; readonly failed: number }[]
  readonly failing: readonly string[]
  /** Slowest first, mean of all runs. */
  readonly slowest: readonly { readonly name: string; readonly ms: number; readonly share: number }[]
  readonly ms: { readonly least: number; readonly median: number; readonly most: number }
}

/** What several runs of the same tests on the same commit tell. A test that is missing from a run says nothing there. */
export function judgeRuns(runs: readonly TestRun[]): TestVerdict {
  const byName = new Map<string, TestOutcome[]>()
  for (const { tests } of runs)
    for (const test of tests) byName.set(test.name, [...(byName.get(test.name) ?? []), test])
  const counted = [...byName].map(([name, all]) => {
    const told = all.flatMap(({ ms }) => (ms === null ? [] : [ms]))
    const passed = all.filter((each) => each.passed).length
    return {
      name,
      passed,
      failed: all.length - passed,
      ms: told.length === 0 ? null : told.reduce((sum, ms) => sum + ms, 0) / told.length,
    }
  })
  const sum = counted.reduce((total, { ms }) => total + (ms ?? 0), 0)
  const times = runs.map(({ ms }) => ms).toSorted((a, b) => a - b)
  return {
    runs: runs.length,
    passed: runs.filter(({ exitCode }) => exitCode === 0).length,
    tests: counted.length,
    flaky: counted
      .filter(({ passed, failed }) => passed > 0 && failed > 0)
      .map(({ name, passed, failed }) => ({ name, passed, failed }))
      .slice(0, 100),
    failing: counted
      .filter(({ passed, failed }) => passed === 0 && failed > 0)
      .map(({ name }) => name)
      .slice(0, 100),
    slowest: counted
      .flatMap(({ name, ms }) => (ms === null ? [] : [{ name, ms, share: sum === 0 ? 0 : ms / sum }]))
      .toSorted((a, b) => b.ms - a.ms)
      .slice(0, 10),
    ms: { least: times[0] ?? 0, median: times[Math.floor(times.length / 2)] ?? 0, most: times.at(-1) ?? 0 },
  }
}

/** More of the whole time than this, and more than a second, is slow. */
const slowShare = 0.25

export function findingsOf(verdict: TestVerdict, runs: readonly TestRun[], command: string): readonly Finding[] {
  const { flaky, failing, passed, slowest } = verdict
  const bad = runs.find(({ exitCode }) => exitCode !== 0)
  const tail =
    bad === undefined
      ? []
      : bad.tail
          .split('\n')
          .slice(-6)
          .map((line) => line.slice(0, 160))
  return [
    ...(failing.length > 0
      ? [
          finding(
            'failing',
            95,
            `${plural(failing.length, 'test')} always ${failing.length === 1 ? 'fails' : 'fail'}`,
            'What always fails hides what breaks next.',
            'Correct the code or the test; take out what nobody will correct.',
            failing,
          ),
        ]
      : []),
    ...(flaky.length > 0
      ? [
          finding(
            'flaky',
            80,
            `${plural(flaky.length, 'test')} sometimes ${flaky.length === 1 ? 'fails' : 'fail'} on the same commit`,
            'A red result that may mean nothing teaches everybody to ignore red results.',
            'Look for time, order, shared state and the network; take it out of the gate until it is corrected.',
            flaky.map((each) => `${each.name}: passed ${each.passed}, failed ${each.failed}`),
          ),
        ]
      : []),
    ...(passed < runs.length && failing.length === 0 && flaky.length === 0
      ? [
          finding(
            passed === 0 ? 'broken' : 'unstable',
            passed === 0 ? 95 : 80,
            passed === 0 ? 'The tests do not pass' : `The tests pass in ${passed} of ${runs.length} runs`,
            'No single test can be named from the output.',
            `Run \`${command}\` and read what it prints.`,
            [bad!.end, ...tail],
          ),
        ]
      : []),
    ...slowest
      .filter(({ ms, share }) => ms > 1_000 && share > slowShare)
      .map(({ name, ms, share }, at) =>
        finding(
          `slow-${at + 1}`,
          30,
          `One test takes ${Math.round(share * 100)} % of the time`,
          'Everybody waits for it, each time.',
          'See what it waits for; divide it, or let it run beside the others.',
          [`${name}: ${(ms / 1_000).toFixed(1)} s`],
        ),
      ),
  ]
}
