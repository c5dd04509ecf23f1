import { text } from 'node:stream/consumers'
import { type WorkResult, type WorkStep, workProgram } from '../kit/work-program.ts'
import { code, escapeMarkdown, table } from '../repo-checkup/report/markdown.ts'

interface Check {
  readonly name: string
  readonly passed: boolean
  readonly summary?: string
  readonly excerpt?: string
}

/** What the checks of a gate say, as a part of a report. Pure. */
export function describeChecks(
  checks: readonly Check[],
  state = '',
): Pick<WorkResult<{ checks: readonly Check[] }>, 'facts' | 'findings' | 'sections' | 'limits'> {
  const score = { tests: 85, types: 70, lint: 35 } as Readonly<Record<string, number>>
  const findings = checks
    .filter(({ passed }) => !passed)
    .map(({ name, summary = 'it does not pass', excerpt = '' }) => ({
      id: `checks/${name}`,
      score: /names no command/.test(summary) ? 50 : (score[name] ?? 50),
      title: `The check "${name}" does not pass`,
      why: summary.slice(0, 300),
      next: 'Run it by hand at this commit, and correct the cause.',
      evidence: excerpt
        .trim()
        .split('\n')
        .slice(-6)
        .map((line) => line.slice(0, 160)),
    }))
  const rows = checks.map(({ name, passed, summary = '' }) => [
    code(name),
    passed ? 'passes' : '**fails**',
    escapeMarkdown(summary.slice(0, 200)),
  ])
  const sections =
    rows.length === 0 ? [] : [{ title: 'Checks of the repository', markdown: table(['Check', 'Result', 'How'], rows) }]
  return { facts: { checks }, findings, sections, limits: checks.length === 0 ? [whyNone(state)] : [] }
}

/** What was begun and came to no end is not what was not wanted. */
function whyNone(state: string): string {
  if (state === 'timed-out') return 'The checks were begun, and took longer than they may; they say nothing.'
  if (state === 'failed') return 'The checks were begun, and came to no end; `leanvibe runs logs` says why.'
  return 'The checks were not run.'
}

const step: WorkStep<{ checks: readonly Check[] }> = {
  name: 'checks',
  options: [],
  async run() {
    const { outputs = null, state = '' } = JSON.parse((await text(process.stdin)) || '{}') as {
      readonly outputs?: { readonly checks?: readonly Check[] } | null
      readonly state?: string
    }
    const { facts, ...rest } = describeChecks(outputs?.checks ?? [], state)
    return { facts, ...rest }
  },
}

export const main = (argv: readonly string[]): Promise<void> => workProgram(step, argv)

if (import.meta.main) await main(process.argv.slice(2))
