import { churnFindings } from './churn-findings.ts'
import type { Repository } from './git/open-repository.ts'
import { showBytes } from './git/path-name.ts'
import type { Commit } from './git/read-history.ts'
import { countLines, type HeadFile, isCode, listHeadFiles, maxTextBytes, readTextFiles } from './head-files.ts'
import { type HistoryWindow, visitWindow, windowLimits } from './history-window.ts'
import { runProgram, type Step } from './program.ts'
import { type Coupling, createCoupling } from './rules/coupling.ts'
import { hotSpotScores } from './rules/hot-spots.ts'
import { createPeople } from './rules/people.ts'

export interface HotSpot {
  readonly path: string
  readonly commits: number
  /** Commits whose subject speaks of a fix, a bug, a crash, a regression or a revert. */
  readonly fixes: number
  readonly authors: number
  readonly added: number
  readonly deleted: number
  readonly lines: number
  /** 0 to 100, relative to the hottest file here. */
  readonly heat: number
}

export interface ChurnFacts {
  readonly window: HistoryWindow
  readonly commitsByPeople: number
  readonly people: number
  readonly fixCommits: number
  readonly added: number
  readonly deleted: number
  /** Hand-written code files at the commit looked at, and how many of them changed in the window. */
  readonly codeFiles: number
  readonly changedCodeFiles: number
  /** Share of all changes to code that went to the busiest 5 % of the code files, 0 to 1. */
  readonly busiestShare: number
  /** By heat, at most 30. */
  readonly hotSpots: readonly HotSpot[]
  /** Pairs of source files in different folders that change together; at most 15. */
  readonly coupling: readonly Coupling[]
}

interface Tally {
  commits: number
  fixes: number
  added: number
  deleted: number
  readonly authors: Set<number>
}

const fixWords = /\b(fix(e[sd]|ing)?|bug(fix)?s?|hotfix|regression|crash(es)?|revert)\b/i
/** Releases touch the same files each time, which says nothing about the code. */
const releaseWords = /^(chore\(?|build\(?)?.{0,12}\b(release|bump(s|ed|ing)?|version|cut|prepare)\b|^v?\d+\.\d+/i
const sizedFiles = 400

export const churn: Step<ChurnFacts> = {
  name: 'churn',
  about: 'What changes most: hot spots (changes x size), fixes, and files that change together.',
  async run({ repository, signal, expired, progress }) {
    const { files } = await listHeadFiles(repository, signal)
    const code = new Map(files.filter(isCode).map((file) => [file.path, file]))
    const people = createPeople()
    const coupling = createCoupling()
    const tallies = new Map<string, Tally>()
    const sums = { commitsByPeople: 0, fixCommits: 0, added: 0, deleted: 0 }
    let seen = 0
    const visit = (commit: Commit) => {
      progress(`${++seen} commits`)
      const person = people.of(commit.name, commit.email)
      if (person.bot) return
      const fix = fixWords.test(commit.subject)
      sums.commitsByPeople += 1
      if (fix) sums.fixCommits += 1
      const touched: string[] = []
      for (const { path, added, deleted } of commit.changes) {
        const file = code.get(path)
        if (file === undefined) continue
        if (file.role === 'source') touched.push(file.path)
        sums.added += added ?? 0
        sums.deleted += deleted ?? 0
        const tally = tallies.get(file.path) ?? {
          commits: 0,
          fixes: 0,
          added: 0,
          deleted: 0,
          authors: new Set<number>(),
        }
        tallies.set(file.path, tally)
        tally.commits += 1
        if (fix) tally.fixes += 1
        tally.added += added ?? 0
        tally.deleted += deleted ?? 0
        tally.authors.add(person.id)
      }
      if (!releaseWords.test(commit.subject)) coupling.add(touched)
    }
    const window = await visitWindow(repository, { detail: 'lines', signal, expired }, visit)
    const busy = [...tallies]
      .filter(([path]) => code.get(path)!.role === 'source')
      .sort((a, b) => b[1].commits - a[1].commits || (a[0] < b[0] ? -1 : 1))
    const lines = await measure(
      repository,
      busy.slice(0, sizedFiles).map(([path]) => code.get(path)!),
      signal,
    )
    const facts: ChurnFacts = {
      window,
      ...sums,
      people: people.all.filter((person) => !person.bot).length,
      codeFiles: code.size,
      changedCodeFiles: tallies.size,
      busiestShare: busiestShare(
        [...tallies.values()].map((tally) => tally.commits),
        code.size,
      ),
      hotSpots: rank(tallies, lines).slice(0, 30),
      coupling: coupling.strongest(15).map((pair) => ({ ...pair, a: showBytes(pair.a), b: showBytes(pair.b) })),
    }
    return { facts, findings: churnFindings(facts), limits: windowLimits(window) }
  },
}

function rank(tallies: ReadonlyMap<string, Tally>, lines: ReadonlyMap<string, number>): HotSpot[] {
  const paths = [...lines.keys()]
  const heats = hotSpotScores(paths.map((path) => ({ changes: tallies.get(path)!.commits, lines: lines.get(path)! })))
  return paths
    .map((path, at) => {
      const { authors, ...tally } = tallies.get(path)!
      return { path: showBytes(path), ...tally, authors: authors.size, lines: lines.get(path)!, heat: heats[at]! }
    })
    .sort((a, b) => b.heat - a.heat || (a.path < b.path ? -1 : 1))
}

/** Present lines of each file; what turns out to be generated, binary or too large is left out. */
async function measure(
  repository: Repository,
  files: readonly HeadFile[],
  signal: AbortSignal,
): Promise<Map<string, number>> {
  const lines = new Map<string, number>()
  const limits = { maxFileBytes: maxTextBytes, maxTotalBytes: 2e8, expired: () => false, signal }
  for await (const file of readTextFiles(repository, files, limits)) {
    if (file.role === 'source') lines.set(file.path, countLines(file.text))
  }
  return lines
}

/** The part of all changes that went to the busiest twentieth of `files`. */
export function busiestShare(changes: readonly number[], files: number): number {
  const total = changes.reduce((sum, count) => sum + count, 0)
  if (total === 0) return 0
  const top = [...changes].sort((a, b) => b - a).slice(0, Math.ceil(files / 20))
  return top.reduce((sum, count) => sum + count, 0) / total
}

export const main = (argv: readonly string[]): Promise<void> => runProgram(churn, argv)

if (import.meta.main) await main(process.argv.slice(2))
