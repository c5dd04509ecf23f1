import { ranNoTests } from '../../src/orchestration/gates/ran-no-tests.ts'
import { endText, lastLines, runCommand, seconds, shown } from '../kit/run-command.ts'
import { readToolchain, setUp } from '../kit/toolchain.ts'
import { countOf, type WorkStep, workProgram } from '../kit/work-program.ts'
import { code, escapeMarkdown, table } from '../repo-checkup/report/markdown.ts'
import { plural } from '../repo-checkup/result.ts'
import { findingsOf, judgeRuns, type TestRun, type TestVerdict } from './judge-runs.ts'
import { readResults } from './read-results.ts'

export interface TestsFacts extends TestVerdict {
  readonly command: readonly string[] | null
  readonly ecosystems: readonly string[]
}

/** Makes the usual tools name each test, without another command. */
const talkative = {
  PYTEST_ADDOPTS: '-rA --durations=0 -p no:cacheprovider',
  GOFLAGS: '-v -count=1',
  JEST_VERBOSE: 'true',
}

/** The same command, so that it names each test: for tools that no variable makes talk. */
function talkativeOf(argv: readonly string[] | undefined): readonly string[] | undefined {
  if (argv?.includes('unittest')) return [...argv, '-v']
  return argv?.[0] === 'cargo' ? argv.filter((word) => word !== '--quiet') : argv
}

export const tests: WorkStep<TestsFacts> = {
  name: 'tests',
  options: ['runs', 'minutes', 'command'],
  async run({ folder, options, signal, say }) {
    const toolchain = readToolchain(folder)
    const given: unknown = options.command ? JSON.parse(options.command) : null
    const command =
      Array.isArray(given) && given.length > 0 ? given.map(String) : talkativeOf(toolchain.checks.tests[0]?.argv)
    const none = { command: null, ecosystems: toolchain.ecosystems, ...judgeRuns([]) }
    if (command === undefined) {
      const known = 'scripts of package.json, pytest, unittest, cargo, go, Maven, make'
      const next = 'Add a command that tests it, or name one: --input command=["make","check"].'
      return {
        facts: none,
        findings: [
          {
            id: 'tests/none',
            score: 60,
            title: 'The repository names no command for its tests',
            why: 'Nobody, and no gate, can tell whether a change breaks something.',
            next,
            evidence: [`looked for: ${known}`],
          },
        ],
      }
    }
    const place = { cwd: folder, signal, timeoutMs: countOf(options.minutes, 10, 1, 240) * 60_000 }
    const missing = await setUp(toolchain, place)
    if (missing !== null) {
      const next = 'Run it by hand in a fresh clone; a lock file and a reachable registry or cache are what it needs.'
      return {
        facts: { ...none, command },
        findings: [
          {
            id: 'tests/setup',
            score: 75,
            title: 'The dependencies cannot be installed',
            why: 'So the tests could not be run at all.',
            next,
            evidence: [missing.slice(0, 300)],
          },
        ],
      }
    }
    const runs: TestRun[] = []
    let empty = false
    const wanted = countOf(options.runs, 3, 1, 50)
    while (runs.length < wanted && !signal.aborted) {
      const end = await runCommand(command, { ...place, env: talkative })
      runs.push({
        exitCode: end.exitCode,
        ms: end.ms,
        end: endText(end),
        tests: readResults(end.output),
        tail: lastLines(end.output, 12),
      })
      empty ||= end.exitCode === 0 && ranNoTests(end.output)
      say(`run ${runs.length} of ${wanted}: ${runs.at(-1)!.end}`)
      // What cannot be started, or is cut off by the clock, is so each time.
      if (end.error !== null || end.timedOut) break
    }
    const verdict = judgeRuns(runs)
    const limits = [
      ...(verdict.tests === 0
        ? ['The output names no single tests, so none can be called flaky or slow by name.']
        : []),
      ...(verdict.tests > 0 && verdict.slowest.length === 0 ? ['The output tells no times of single tests.'] : []),
      ...(runs.length < wanted ? [`It was run ${runs.length} times, not ${wanted}.`] : []),
      'Flaky means: seen to pass and to fail in these runs. A test that fails once in a hundred is not found in a few.',
    ]
    const each = verdict.tests === 0 ? '' : `, ${plural(verdict.tests, 'test')}`
    return {
      facts: { command, ecosystems: toolchain.ecosystems, ...verdict },
      headline: `${verdict.passed} of ${plural(verdict.runs, 'run')} passed${each}`,
      findings: [...(empty ? [nothingRan(shown(command))] : []), ...findingsOf(verdict, runs, shown(command))],
      limits,
      sections: [sectionOf(verdict, runs, command)],
    }
  },
}

function nothingRan(command: string) {
  return {
    id: 'tests/empty',
    score: 70,
    title: 'The test command ends well and runs no tests',
    why: 'Everything passes, whatever is broken.',
    next: 'Write the first tests, or correct where the command looks for them.',
    evidence: [command],
  }
}

function sectionOf(verdict: TestVerdict, runs: readonly TestRun[], command: readonly string[]) {
  const rows = runs.map((run, at) => [
    String(at + 1),
    run.end,
    String(run.tests.filter(({ passed }) => passed).length),
    String(run.tests.filter(({ passed }) => !passed).length),
  ])
  const slow = verdict.slowest.map(({ name, ms, share }) => [
    escapeMarkdown(name),
    seconds(ms),
    `${Math.round(share * 100)} %`,
  ])
  const markdown = [
    `${code(shown(command))}: ${verdict.passed} of ${verdict.runs} runs passed, median ${seconds(verdict.ms.median)}.\n`,
    table(['Run', 'End', 'Passed', 'Failed'], rows, ['Passed', 'Failed']),
    ...(slow.length === 0 ? [] : ['The slowest:\n', table(['Test', 'Mean', 'Of all'], slow, ['Mean', 'Of all'])]),
  ]
  return { title: 'The runs', markdown: markdown.join('\n') }
}

export const main = (argv: readonly string[]): Promise<void> => workProgram(tests, argv)

if (import.meta.main) await main(process.argv.slice(2))
