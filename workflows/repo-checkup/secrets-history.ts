import { showBytes, showText } from './git/path-name.ts'
import { type Hunk, readPatches } from './git/read-patches.ts'
import { detach } from './git/records.ts'
import { listHeadFiles, readTextFiles } from './head-files.ts'
import { runProgram, type Step, type StepContext } from './program.ts'
import { type Finding, plural, showDay } from './result.ts'
import { roleOfPath } from './rules/file-roles.ts'
import { findSecrets } from './rules/find-secrets.ts'
import { confidenceOf, type Leak, rankLeaks } from './rules/leaks.ts'
import type { SecretRule } from './rules/secret-rules.ts'

export interface SecretsHistoryFacts {
  readonly commitsScanned: number
  readonly oldestScannedAt: number
  /** Whether every commit without merges was searched. */
  readonly whole: boolean
  readonly linesScanned: number
  readonly counts: { readonly likely: number; readonly possible: number; readonly inTests: number }
  /** Secrets that some commit added and that are no longer in the commit looked at; most likely first, at most 60. */
  readonly leaks: readonly Leak[]
}

const maxCommits = 100_000
const maxLeaks = 5_000

export const secretsHistory: Step<SecretsHistoryFacts> = {
  name: 'secrets-history',
  about: 'Secrets that were committed once and deleted later: they are still in every clone. Values are always masked.',
  async run(context) {
    const { repository, signal, expired, progress } = context
    /** Secret -> where it was first added (the last one seen, as the newest commits come first). */
    const found = new Map<string, Leak>()
    let commitsScanned = 0
    let oldestScannedAt = Number.POSITIVE_INFINITY
    let linesScanned = 0
    let whole = true
    const visit = (hunk: Hunk) => {
      linesScanned += hunk.lines.length
      hunk.lines.forEach((text, at) => {
        for (const { rule, masked, value } of findSecrets(text, hunk.lines.slice(at + 1, at + 8).join('\n'))) {
          if (found.size < maxLeaks) found.set(detach(value), leakOf(hunk, hunk.start + at, rule, masked))
        }
      })
    }
    const onCommit = (at: number) => {
      progress(`${commitsScanned} commits`)
      whole = commitsScanned < maxCommits && !expired() && found.size < maxLeaks
      if (whole) {
        commitsScanned += 1
        oldestScannedAt = Math.min(oldestScannedAt, at)
      }
      return whole
    }
    const wants = (path: string) => roleOfPath(path) !== 'lock'
    const { gaps, gaveUp } = await readPatches(repository, { onCommit, wants, visit }, signal)
    if (gaveUp) whole = false
    if (found.size > 0) for (const value of await presentSecrets(context)) found.delete(value)
    const gone = [...found.values()]
    const ranked = rankLeaks(gone)
    const count = (confidence: Leak['confidence']) => ranked.filter((leak) => leak.confidence === confidence).length
    const facts: SecretsHistoryFacts = {
      commitsScanned,
      oldestScannedAt: commitsScanned === 0 ? 0 : oldestScannedAt,
      whole,
      linesScanned,
      counts: { likely: count('likely'), possible: count('possible'), inTests: count('in tests') },
      leaks: ranked.slice(0, 60),
    }
    const limits = [
      'Only the history of the commit looked at was searched, without merge commits; other branches were not.',
    ]
    if (gaps > 0)
      limits.push(`${plural(gaps, 'commit')} could not be searched for secrets: the clone lacks some of their files.`)
    if (!whole)
      limits.push(
        `Secrets in the history: the newest ${plural(commitsScanned, 'commit')} were searched (back to ${showDay(oldestScannedAt)}), then a limit was reached.`,
      )
    return { facts, findings: historyFindings(facts), limits }
  },
}

function leakOf({ commit, path }: Hunk, line: number, rule: SecretRule, masked: string): Leak {
  return {
    rule: rule.id,
    what: rule.what,
    path: showBytes(path),
    line,
    masked,
    confidence: confidenceOf(rule, path),
    commit: commit.oid.slice(0, 12),
    at: commit.at,
    author: showText(commit.author).slice(0, 60),
  }
}

/** The secrets of the present files: the secrets step reports those. */
async function presentSecrets({ repository, signal }: StepContext): Promise<Set<string>> {
  const present = new Set<string>()
  const { files } = await listHeadFiles(repository, signal)
  const limits = { maxFileBytes: 2_000_000, maxTotalBytes: 1e9, expired: () => false, signal }
  for await (const file of readTextFiles(repository, files, limits)) {
    const lines = file.text.split('\n')
    lines.forEach((line, at) => {
      for (const { value } of findSecrets(line, lines.slice(at + 1, at + 8).join('\n'))) present.add(value)
    })
  }
  return present
}

function historyFindings({ leaks, counts }: SecretsHistoryFacts): Finding[] {
  const place = ({ path, what, masked, commit, at, author }: Leak) =>
    `${path}: ${what} ${masked}, added by ${author} on ${showDay(at!)} in ${commit}`
  const findings: Finding[] = []
  if (counts.likely > 0) {
    findings.push({
      id: 'secrets-history/likely',
      score: 91,
      title: `${plural(counts.likely, 'likely secret')} in the history, deleted since`,
      why: 'Deleting a line does not take it back: it is in every clone and fork. If the repository was ever readable by others, so was this.',
      next: 'Revoke each at its service. Rewriting the history (git filter-repo) helps only after that, and only if no clone is outside your control.',
      evidence: leaks
        .filter((leak) => leak.confidence === 'likely')
        .slice(0, 10)
        .map(place),
    })
  }
  if (counts.possible > 0) {
    findings.push({
      id: 'secrets-history/possible',
      score: Math.min(60, 40 + counts.possible),
      title: `${plural(counts.possible, 'value')} in the history may be passwords or keys, deleted since`,
      why: 'They were assigned to names like password or secret, or stood in an address, and look random.',
      next: 'Check whether any is still in use; rotate those.',
      evidence: leaks
        .filter((leak) => leak.confidence === 'possible')
        .slice(0, 10)
        .map(place),
    })
  }
  return findings
}

export const main = (argv: readonly string[]): Promise<void> => runProgram(secretsHistory, argv)

if (import.meta.main) await main(process.argv.slice(2))
