import { checkDefaults } from '../../src/orchestration/gates/checks-contract.ts'
import { findCoverage } from '../../src/orchestration/gates/find-coverage.ts'
import { coverageOfOutput } from '../../src/orchestration/gates/read-coverage.ts'
import { endText, lastLines, runCommand, shown } from '../kit/run-command.ts'
import { readToolchain, setUp } from '../kit/toolchain.ts'
import { countOf, type WorkStep, workProgram } from '../kit/work-program.ts'
import { code } from '../repo-checkup/report/markdown.ts'

export interface CoverageFacts {
  readonly command: readonly string[] | null
  /** Of lines. Null: nothing tells. */
  readonly percent: number | null
}

export const coverage: WorkStep<CoverageFacts> = {
  name: 'coverage',
  options: ['minutes'],
  async run({ folder, options, signal, say }) {
    const toolchain = readToolchain(folder)
    const command = toolchain.checks.coverage[0]?.argv ?? null
    if (command === null)
      return { facts: { command, percent: null }, limits: ['The repository names no command for coverage.'] }
    const place = { cwd: folder, signal, timeoutMs: countOf(options.minutes, 10, 1, 240) * 60_000 }
    const missing = await setUp(toolchain, place)
    if (missing !== null)
      return {
        facts: { command, percent: null },
        limits: [`The dependencies cannot be installed: ${missing.slice(0, 300)}`],
      }
    const from = Date.now()
    const end = await runCommand(command, place)
    say(endText(end))
    const percent = (await findCoverage(folder, null, from)) ?? coverageOfOutput(end.output)
    const facts = { command, percent: percent === null ? null : Math.round(percent * 10) / 10 }
    if (percent === null) {
      return {
        facts,
        limits: [
          `${shown(command)} ${endText(end)} and tells no coverage: ${lastLines(end.output, 2, 200).replaceAll('\n', ' / ')}`,
        ],
      }
    }
    const { pass, block } = checkDefaults.coverage
    const low = {
      id: 'coverage/low',
      score: percent < block ? 65 : 35,
      title: `${facts.percent} % of the lines are run by tests`,
      why: `Gates pass from ${pass} % and block below ${block} %.`,
      next: 'Begin with the files that change most: `leanvibe orchestrate repo-checkup` names them.',
      evidence: [shown(command)],
    }
    return {
      facts,
      headline: `${facts.percent} % of the lines are covered`,
      findings: percent < pass ? [low] : [],
      sections: [{ title: 'Coverage', markdown: `${code(shown(command))}: **${facts.percent} %** of the lines.` }],
    }
  },
}

export const main = (argv: readonly string[]): Promise<void> => workProgram(coverage, argv)

if (import.meta.main) await main(process.argv.slice(2))
