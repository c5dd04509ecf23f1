import { isCode, listHeadFiles } from './head-files.ts'
import { describeOwnership, type OwnershipFacts } from './ownership-facts.ts'
import { ownershipFindings } from './ownership-findings.ts'
import { readAuthorship } from './ownership-history.ts'
import { runProgram, type Step } from './program.ts'
import { plural } from './result.ts'

/** Knowledge of tests is easier to regain; they count only where there is little else. */
const leastSources = 10

export const ownership: Step<OwnershipFacts> = {
  name: 'ownership',
  about: 'Who knows the code: degree of authorship per file, bus factor, files whose authors have left.',
  async run(context) {
    const { repository, signal } = context
    const { files } = await listHeadFiles(repository, signal)
    const code = files.filter(isCode)
    const sources = code.filter((file) => file.role === 'source')
    const authorship = await readAuthorship(
      context,
      (sources.length >= leastSources ? sources : code).map((file) => file.path),
    )
    const facts = describeOwnership(authorship, !repository.shallow)
    const limits = [
      'It counts commits without merges; co-authors in trailers do not count, and a rename with changes starts a new file.',
    ]
    if (repository.shallow)
      limits.push(
        'The bus factor was not computed: in a shallow clone the oldest commit seems to have written everything.',
      )
    if (authorship.cut)
      limits.push(`It rests on the newest ${plural(authorship.commitsRead, 'commit')}: the time limit was reached.`)
    if (authorship.botCommits > 0) limits.push(`${plural(authorship.botCommits, 'commit')} by bots are left out.`)
    return { facts, findings: ownershipFindings(facts), limits }
  },
}

export const main = (argv: readonly string[]): Promise<void> => runProgram(ownership, argv)

if (import.meta.main) await main(process.argv.slice(2))
