import { type HistoryWindow, showWindow } from './history-window.ts'
import { type Finding, plural } from './result.ts'
import type { TestsFacts } from './tests.ts'

export function testFindings(facts: TestsFacts, window: HistoryWindow): Finding[] {
  return [
    ...none(facts),
    ...focusedTests(facts),
    ...busyUntested(facts, window),
    ...barren(facts),
    ...switchedOff(facts),
  ]
}

function none({ sourceLines, testLines, testFiles }: TestsFacts): Finding[] {
  if (sourceLines < 300 || testLines / sourceLines >= 0.1) return []
  const bare = testFiles === 0 && testLines === 0
  return [
    {
      id: 'tests/none',
      score: bare ? 72 : 60,
      title: bare
        ? `No tests were found for ${plural(sourceLines, 'line')} of code`
        : `${plural(testLines, 'line')} of test code for ${plural(sourceLines, 'line')} of code`,
      why: 'Every change is checked by hand or not at all; refactoring is a gamble, and automatic upgrades cannot be trusted.',
      next: 'Begin where it pays: one test that starts the program and takes its main path, then one for each bug that is fixed.',
      evidence: [],
    },
  ]
}

function focusedTests({ focused }: TestsFacts): Finding[] {
  if (focused.length === 0) return []
  return [
    {
      id: 'tests/focused',
      score: 66,
      title: `${plural(focused.length, 'test file')} run${focused.length === 1 ? 's' : ''} only a part of the tests (.only, fit, fdescribe)`,
      why: 'A focus left in by mistake switches all other tests of the file off while the suite stays green.',
      next: 'Remove it, and let the linter or the runner (--forbid-only) refuse it in CI.',
      evidence: focused,
    },
  ]
}

function busyUntested({ untested, named }: TestsFacts, window: HistoryWindow): Finding[] {
  const busy = untested.filter((file) => file.recentCommits >= 5 && file.lines >= 100).slice(0, 10)
  const first = busy[0]
  if (first === undefined || !named.telling) return []
  return [
    {
      id: 'tests/busy-untested',
      score: 28 + Math.min(28, busy.length * 2 + first.recentCommits / 3),
      title:
        busy.length === 1
          ? `${first.path} is busy (${plural(first.recentCommits, 'commit')}, ${plural(first.lines, 'line')}), and no test mentions it`
          : `${plural(busy.length, 'busy file')} are mentioned by no test; first ${first.path} (${plural(first.recentCommits, 'commit')}, ${plural(first.lines, 'line')})`,
      why: `Code that changes and is not tested is where the next defect comes from (${showWindow(window)}).`,
      next: 'Ask a coverage tool about these files; write the missing test together with the next change.',
      evidence: busy.map(
        (file) => `${file.path}: ${plural(file.recentCommits, 'commit')}, ${plural(file.lines, 'line')}`,
      ),
    },
  ]
}

function barren({ parts, testLines, sourceLines }: TestsFacts): Finding[] {
  if (testLines < 0.1 * sourceLines) return []
  // A repository that keeps its tests in one place has no tests beside the code; only compare parts that could.
  const own = parts.filter((part) => part.source > 0 && part.test > 0).length
  const bare = parts.filter(
    (part) =>
      part.source >= 1000 &&
      part.test === 0 &&
      /^(packages|apps|libs|crates|modules|services|plugins)\//.test(part.part),
  )
  if (own < 2 || bare.length === 0) return []
  return [
    {
      id: 'tests/bare-packages',
      score: 44,
      title: `${plural(bare.length, 'package')} of 1,000 lines or more have no tests of their own`,
      why: 'Their neighbours have tests, so these are gaps rather than a habit.',
      next: 'Add a first test to each; the setup can be copied from a neighbour.',
      evidence: bare.map((part) => `${part.part}: ${plural(part.source, 'line')}`),
    },
  ]
}

function switchedOff({ skipped, skippedCount }: TestsFacts): Finding[] {
  if (skippedCount < 5) return []
  return [
    {
      id: 'tests/skipped',
      score: Math.min(42, 22 + Math.log2(skippedCount) * 3),
      title: `${plural(skippedCount, 'test')} are switched off in the source`,
      why: 'They still look like cover, and nobody notices when what they tested breaks. (Skips that depend on the platform count too.)',
      next: 'For each: repair it, delete it, or name the issue that waits for it.',
      evidence: skipped.map((file) => `${file.path}: ${file.count}`),
    },
  ]
}
