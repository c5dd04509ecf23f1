import { defineErrors } from '../../src/foundation/kernel/errors.ts'
import { readToolchain } from '../kit/toolchain.ts'
import { parseArguments, printOutcome } from '../repo-checkup/program.ts'

export const readyErrors = defineErrors({
  'feature-no-agent': {
    kind: 'input',
    retry: 'never',
    when: 'feature-dev is started and no pool takes tasks in words',
    next: 'run `leanvibe doctor` to see which coding agents are on the PATH, then `leanvibe agents add claude` (or codex, gemini, opencode, qwen, goose, command), and start it again',
  },
  'feature-no-commit': {
    kind: 'input',
    retry: 'never',
    when: 'feature-dev is started on a repository without commits, or with no branch checked out',
    next: 'make a first commit on a branch, and start it again',
  },
})

/** What must be there before any agent is paid: agents, a commit, a branch; and whether the repository has tests. */
export async function main(argv: readonly string[]): Promise<void> {
  await printOutcome(async () => {
    const value = { type: 'string' as const }
    const { agents, commit, into } = parseArguments(argv, { agents: value, commit: value, into: value })
    if (agents !== 'true') throw readyErrors['feature-no-agent']('no pool of agents takes tasks in words')
    if (!commit) throw readyErrors['feature-no-commit']('the repository has no commits yet')
    if (!into) throw readyErrors['feature-no-commit']('no branch is checked out, and --input into=BRANCH names none')
    const { checks, ecosystems } = readToolchain(process.cwd())
    return { tests: checks.tests.length > 0, ecosystems, into }
  })
}

if (import.meta.main) await main(process.argv.slice(2))
